"""Who may do what: a view says what it needs, the role's code answers."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Concatenate, ParamSpec

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from crm.accounts.models import User
from crm.accounts.roles import May, role_may

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def needs(what: May) -> Callable[[View[P]], View[P]]:
    """Answer 403 to a person whose role does not grant it."""

    def guard(view: View[P]) -> View[P]:
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not role_may(person(request).role, what):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        update_wrapper(guarded, view)
        return guarded

    return guard


def person(request: HttpRequest) -> User:
    """Who is asking; every page but the log-in has been asked for by somebody."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
