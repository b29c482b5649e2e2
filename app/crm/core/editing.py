"""The one shape of an edit page: show the form, save what changed, or show both sides of a clash."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _

from crm.core.clashes import both_sides
from crm.core.forms import RowForm
from crm.core.models import Replicated
from crm.core.versions import Outcome, VersionError
from crm.core.writing import shown

M = TypeVar("M", bound=Replicated)
Save = Callable[..., Outcome]
Create = Callable[[UUID, dict[str, Any]], M]


def edit_row(
    request: HttpRequest, *, row: M, form_class: type[RowForm[M]], save: Save, template: str, back: str, **context: Any
) -> HttpResponse:
    """Show a row's form, or save it with `save(key=…, fields=…, seen=…, typed=…)` and go back."""
    context |= {"row": row, "back": back}
    form = form_class.to_edit(row, request.POST if request.method == "POST" else None)
    if not form.is_bound or not form.is_valid():
        return _page(request, template, form, context)
    try:
        outcome = save(
            key=row.pk, fields=form.row_fields(), seen=form.cleaned_data["version"], typed=_chosen(request, form, row)
        )
    except VersionError as error:
        raise BadRequest(str(error)) from error
    if outcome.clashes:
        again, clashes = both_sides(form, row, outcome)
        return render(request, template, context | {"form": again, "clashes": clashes}, status=409)
    _tell(request, form, outcome)
    return see(back)


def create_row(
    request: HttpRequest,
    *,
    form_class: type[RowForm[M]],
    create: Create[M],
    then: Callable[[M], str],
    template: str,
    back: str,
    initial: Mapping[str, Any],
    **context: Any,
) -> HttpResponse:
    """Show an empty form, or create the row under the key that the form was made with."""
    form = form_class.to_create(request.POST if request.method == "POST" else None, **initial)
    if not form.is_bound or not form.is_valid():
        return _page(request, template, form, context | {"back": back})
    if form.cleaned_data["new_id"] is None:
        raise BadRequest("the form of a new row has no key")
    row = create(form.cleaned_data["new_id"], form.typed())
    messages.success(request, _("Saved."))
    return see(then(row))


def see(address: str) -> HttpResponse:
    """Send the browser on with a GET."""
    return HttpResponseRedirect(address, status=303)


def _page(request: HttpRequest, template: str, form: RowForm[M], context: dict[str, Any]) -> HttpResponse:
    return render(request, template, context | {"form": form}, status=422 if form.is_bound else 200)


def _chosen(request: HttpRequest, form: RowForm[M], row: M) -> dict[str, Any]:
    """What was typed, with the other side's value where the person chose it."""
    current = shown(row, form.row_fields())
    theirs = {name for name in current if request.POST.get(f"keep_{name}") == "theirs"}
    return {name: current[name] if name in theirs else value for name, value in form.typed().items()}


def _tell(request: HttpRequest, form: RowForm[M], outcome: Outcome) -> None:
    messages.success(request, _("Saved.") if outcome.changes else _("Nothing was changed."))
    if outcome.kept:
        names = ", ".join(str(form[name].label) for name in outcome.kept)
        messages.info(request, _("Somebody else had changed this meanwhile, and it was kept: %s") % names)
