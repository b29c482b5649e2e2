// The little that plain pages and htmx cannot do: the keys, and a word when the node does not answer.
(function () {
  "use strict";
  var typing = /^(INPUT|TEXTAREA|SELECT)$/;
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    var target = event.target;
    if (event.key === "/" && !typing.test(target.tagName)) {
      var box = document.querySelector("[data-find]") || document.getElementById("find");
      if (box) { event.preventDefault(); box.focus(); box.select(); }
    }
    if (event.key === "Escape") {
      document.querySelectorAll("details.me[open]").forEach(function (menu) { menu.open = false; });
      if (typing.test(target.tagName)) target.blur();
    }
  });
  document.addEventListener("click", function (event) {
    document.querySelectorAll("details.me[open]").forEach(function (menu) {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });
  // One press, one request: a second press on a slow line sends nothing.
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (form.dataset.sent) { event.preventDefault(); return; }
    if (form.method === "post") form.dataset.sent = "1";
  });
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form[data-sent]").forEach(function (form) { delete form.dataset.sent; });
  });
  // A log-in that ended answers a part with a whole page: go there instead of showing it inside.
  document.addEventListener("htmx:beforeSwap", function (event) {
    var address = event.detail.xhr.responseURL || "";
    if (/\/log-in(\?|$)/.test(address)) { event.detail.shouldSwap = false; location.reload(); }
  });
  // What a filter changes is asked for at once; without this script its button does it.
  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("form[data-live] button").forEach(function (button) { button.hidden = true; });
  });
  document.addEventListener("change", function (event) {
    var all = event.target.dataset.all;
    if (all) event.target.form.querySelectorAll('input[name="' + all + '"]').forEach(function (box) { box.checked = event.target.checked; });
  });
  function quiet(on) {
    document.querySelectorAll("[data-offline]").forEach(function (note) { note.hidden = !on; });
  }
  ["htmx:sendError", "htmx:timeout", "htmx:responseError"].forEach(function (name) {
    document.addEventListener(name, function () { quiet(true); });
  });
  document.addEventListener("htmx:afterRequest", function (event) { if (event.detail.successful) quiet(false); });
})();
