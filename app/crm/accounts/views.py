"""Log-in, preferences and accounts."""

from functools import partial
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from crm.accounts.access import needs, person
from crm.accounts.forms import AccountForm, PreferencesForm
from crm.accounts.models import User
from crm.accounts.roles import May
from crm.accounts.services import update_account
from crm.core.editing import edit_row, see
from crm.core.sites import this_site


@method_decorator(login_not_required, name="dispatch")
class LogIn(LoginView):
    """The log-in page, with the choice of language for those whom the node does not know yet."""

    template_name = "accounts/log_in.html"
    redirect_authenticated_user = True
    # Django's view puts the host's name under "site"; this page speaks of ours.
    extra_context = {"languages": settings.LANGUAGES, "site": this_site()}  # noqa: RUF012


@login_not_required
@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Keep the language that somebody chose before log-in, in this browser."""
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure())
    response = see(back if safe else reverse("log_in"))
    language = request.POST.get("language")
    if language in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=365 * 24 * 3600,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
            samesite="Lax",
        )
    return response


def preferences(request: HttpRequest) -> HttpResponse:
    """A person's own language, time zone and name."""
    return edit_row(
        request,
        row=person(request),
        form_class=PreferencesForm,
        save=partial(update_account, by=person(request).pk),
        template="accounts/preferences.html",
        back=reverse("preferences"),
    )


@needs(May.EDIT_ACCOUNTS)
def account_edit(request: HttpRequest, key: UUID) -> HttpResponse:
    """Change somebody's account: a log-in name, a role."""
    return edit_row(
        request,
        row=get_object_or_404(User, pk=key),
        form_class=AccountForm,
        save=partial(update_account, by=person(request).pk),
        template="accounts/account.html",
        back=reverse("account_edit", args=[key]),
    )
