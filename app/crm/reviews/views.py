"""Pages of conflicts: the list, both sides of one, and the answers to one or many."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.forms import BoundField
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.accounts.access import person
from crm.accounts.models import User
from crm.core.editing import see
from crm.core.sites import site_choices
from crm.customers.models import Customer
from crm.reviews import selectors, services
from crm.reviews.answers import Answer, read_answer
from crm.reviews.entries import Entry
from crm.reviews.gathering import gather
from crm.reviews.models import Decision
from crm.reviews.questions import Question
from crm.reviews.records import KINDS
from crm.reviews.words import decided, rule_choices, rule_title, why

AT_ONCE = 20
"""Questions on one page, so that it stays light on a thin line."""


def conflict_list(request: HttpRequest) -> HttpResponse:
    """All conflicts, those first that somebody is asked about; asked for by htmx, the rows alone."""
    asked = selectors.Asked(**{name: request.GET.get(name, "") for name in selectors.Asked.__dataclass_fields__})
    query = request.GET.copy()
    query.pop("after", None)
    page = selectors.get_page(asked, mark=request.GET.get("after", ""))
    rows = [(entry, rule_title(entry.conflict.rule), _may_answer(entry, person(request))) for entry in page.rows]
    may_answer = any(may for _entry, _rule, may in rows)
    context = {"page": page, "rows": rows, "asked": asked, "query": query.urlencode(), "may_answer": may_answer}
    if request.headers.get("HX-Target") == "more":
        return render(request, "reviews/rows.html", context)
    if request.headers.get("HX-Target") == "found":
        return render(request, "reviews/found.html", context)
    return render(request, "reviews/list.html", context | _choices(asked))


def _may_answer(entry: Entry, user: User) -> bool:
    return entry.asks and not entry.kind.barrier(user, entry.record, [entry.conflict.column])


def _choices(asked: selectors.Asked) -> dict[str, object]:
    customer = Customer.objects.filter(pk=asked.customer).only("name", "name_lang").first() if asked.customer else None
    return {
        "customer": customer,
        "kinds": [(kind.code, kind.many) for kind in KINDS.values()],
        "sites": site_choices(),
        "rules": rule_choices(),
        "ages": [
            ("1", _("last 24 hours")), ("7", _("last 7 days")), ("30", _("last 30 days")),
            ("-1", _("older than a day")), ("-7", _("older than 7 days")),
        ],
        "states": [("open", _("Open")), ("closed", _("Not open"))],
    }  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A question as the page shows it: with what was chosen, and what is wrong with that."""

    question: Question
    why: str
    chosen: str
    answer: Answer | None = None
    faults: Sequence[str] = ()

    @property
    def decided(self) -> str:
        return decided(self.question.lead)

    @property
    def fields(self) -> list[BoundField]:
        """The question's own fields, for who writes something else; with what was typed."""
        return self._fields(Decision.EDIT)

    @property
    def holder_fields(self) -> list[BoundField]:
        """The same fields of the record that holds what this one claims."""
        return self._fields(Decision.OTHER)

    def _fields(self, decision: Decision) -> list[BoundField]:
        typed = self.answer.form if self.answer and self.answer.decision == decision else None
        form = typed or self.question.forms.get(decision)
        return [form[name] for name in self.question.fields] if form else []


def conflict_detail(request: HttpRequest, key: UUID) -> HttpResponse:
    """Both sides of one conflict and, while somebody is asked, all that ask about the same field."""
    user = person(request)
    questions = gather(selectors.get_with_mates([key]), user)
    if not questions:
        raise Http404
    _notice(user, questions[0].entries)
    return render(request, "reviews/detail.html", {"shown": _show(questions[0])})


def conflict_answer(request: HttpRequest) -> HttpResponse:
    """Show the questions that were picked from the list, or take the answers to one or many."""
    if request.method == "POST":
        return _take(request)
    ids = request.GET.getlist("id")
    picked = selectors.get_with_mates(ids[:AT_ONCE])
    questions = gather([entry for entry in picked if entry.asks], person(request))
    if not questions:
        messages.info(request, _("Nothing that is open was picked."))
        return see(reverse("conflict_list"))
    if len(ids) > AT_ONCE:
        messages.info(request, _("Here are the first %d that you picked; the others stay open.") % AT_ONCE)
    _notice(person(request), picked)
    return _ask(request, [_show(question, request.GET.get("decision", "")) for question in questions])


def _take(request: HttpRequest) -> HttpResponse:
    """Settle what can be settled, and ask again about the rest. Only what was shown is closed."""
    shown = selectors.get_entries(request.POST.getlist("id")[: 8 * AT_ONCE])
    open_ones = [entry for entry in shown if entry.asks]
    others_were_first = len(open_ones) < len(shown)
    settled, again = 0, []
    for question in gather(open_ones, person(request)):
        answer = read_answer(question, request.POST)
        try:
            faults = _settle(answer) if answer else [_("Choose a value.")]
        except services.AnsweredError:
            others_were_first = True
            continue
        settled += not faults
        if faults:
            again.append(Shown(question, why(question.lead), answer.chosen if answer else "", answer, faults))
    _tell(request, settled, others_were_first=others_were_first)
    return _ask(request, again, status=409) if again else see(reverse("conflict_list"))


def _settle(answer: Answer) -> Sequence[str]:
    """What is wrong with the answer; nothing if it is settled."""
    if not answer.is_valid:
        return answer.faults
    try:
        services.settle(answer.question, decision=answer.decision, seen=answer.seen, form=answer.form)
    except services.StaleError:
        return [_("The record has changed since you opened this page. Nothing is saved; look again and choose.")]
    except services.BarredError as error:
        return [str(error)]
    return []


def _ask(request: HttpRequest, questions: Sequence[Shown], *, status: int = 200) -> HttpResponse:
    return render(request, "reviews/answer.html", {"questions": questions}, status=status)


def _show(question: Question, wanted: str = "") -> Shown:
    """`wanted` is a decision that was picked for many."""
    return Shown(question, why(question.lead), question.preset(wanted))


def _notice(user: User, entries: Sequence[Entry]) -> None:
    lost = [entry.conflict.id for entry in entries if entry.lost_by(user)]
    if lost:
        services.mark_seen(conflicts=lost, by=user)


def _tell(request: HttpRequest, settled: int, *, others_were_first: bool) -> None:
    if settled:
        told = ngettext("%d question is answered.", "%d questions are answered.", settled)
        messages.success(request, told % settled)
    if others_were_first:
        messages.info(request, _("What somebody else had answered already stays as it is."))
