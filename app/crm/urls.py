"""The addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from crm.accounts import views as accounts
from crm.activities import views as activities
from crm.catalog import views as catalog
from crm.customers import views as customers
from crm.node import views as node
from crm.ops import views as ops
from crm.reports import views as reports
from crm.reviews import views as reviews
from crm.sales import views as sales
from crm.today import views as today

urlpatterns = [
    path("", today.today, name="today"),
    path("log-in", accounts.LogIn.as_view(), name="log_in"),
    path("log-out", LogoutView.as_view(), name="log_out"),
    path("language", accounts.choose_language, name="choose_language"),
    path("preferences", accounts.preferences, name="preferences"),
    path("accounts/<uuid:key>/edit", accounts.account_edit, name="account_edit"),
    path("customers", customers.customer_list, name="customer_list"),
    path("customers/new", customers.customer_new, name="customer_new"),
    path("customers/<uuid:key>", customers.customer_detail, name="customer_detail"),
    path("customers/<uuid:key>/edit", customers.customer_edit, name="customer_edit"),
    path("customers/<uuid:key>/history", customers.customer_history, name="customer_history"),
    path("customers/<uuid:key>/contacts/new", customers.contact_new, name="contact_new"),
    path("customers/<uuid:key>/activities/new", activities.activity_new, name="activity_new"),
    path("customers/<uuid:key>/orders/new", sales.order_new, name="order_new"),
    path("contacts/<uuid:key>/edit", customers.contact_edit, name="contact_edit"),
    path("products", catalog.product_list, name="product_list"),
    path("products/new", catalog.product_new, name="product_new"),
    path("products/<uuid:key>", catalog.product_detail, name="product_detail"),
    path("products/<uuid:key>/edit", catalog.product_edit, name="product_edit"),
    path("orders", sales.order_list, name="order_list"),
    path("orders/<uuid:key>", sales.order_detail, name="order_detail"),
    path("orders/<uuid:key>/edit", sales.order_edit, name="order_edit"),
    path("orders/<uuid:key>/suggestions", sales.line_suggestions, name="line_suggestions"),
    path("orders/<uuid:key>/lines", sales.line_add, name="line_add"),
    path("lines/<uuid:key>/edit", sales.line_edit, name="line_edit"),
    path("lines/<uuid:key>/remove", sales.line_remove, name="line_remove"),
    path("activities", activities.activity_list, name="activity_list"),
    path("activities/<uuid:key>/edit", activities.activity_edit, name="activity_edit"),
    path("activities/<uuid:key>/finish", activities.activity_finish, name="activity_finish"),
    path("conflicts", reviews.conflict_list, name="conflict_list"),
    path("conflicts/answer", reviews.conflict_answer, name="conflict_answer"),
    path("conflicts/<uuid:key>", reviews.conflict_detail, name="conflict_detail"),
    path("reports/global", reports.global_report, name="global_report"),
    path("health", node.health, name="health"),
    path("health/figures", node.health_figures, name="health_figures"),
    path("health/map", node.health_map, name="health_map"),
    path("lines", node.lines, name="lines"),
    path("operations", ops.console, name="ops"),
    path("operations/figures", ops.figures, name="ops_figures"),
    path("operations/history", ops.past, name="ops_past"),
    path("operations/links/<slug:origin>/<slug:reader>", ops.link, name="ops_link"),
    path("operations/positions", ops.positions, name="ops_positions"),
    path("operations/waiting", ops.waiting_list, name="ops_waiting"),
    path("operations/waiting/<int:parked>", ops.change, name="ops_change"),
    path("operations/comparing", ops.comparing, name="ops_comparing"),
    path("operations/log", ops.log, name="ops_log"),
    path("operations/log/<uuid:key>/restore", ops.restore, name="ops_restore"),
]

handler403 = "crm.core.views.forbidden"
handler404 = "crm.core.views.not_found"
