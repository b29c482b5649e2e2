"""The broker: everything of this service that speaks AMQP to RabbitMQ.

``publisher`` appends to this site's own streams, beside other work of one loop; ``reader`` reads a
peer's stream in a thread of its own; ``log`` asks short questions about a stream. All three keep to:

1. A message counts as confirmed only when everything before it in its stream is, and never when it
   was returned: a publish to a queue that is not there is confirmed too.
2. Nothing is ever rejected: a stream answers a nack or a reject by closing the connection.
3. A stream's offset is a hint of where to begin. What a message is, its own range of LSNs says.
"""
