"""What watches the sites: rules, alarms with a paragraph each, dashboards; and the configuration of Prometheus and of
Alertmanager, which follows from the site files.

`rules/` and `dashboards/` are used as they are. README.md says how the parts stand together, ALERTS.md what to do.
"""
