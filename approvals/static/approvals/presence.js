// @ts-check
// Whoever leaves the page is no longer looking at it: it says so on its way out.

const presence = document.querySelector(".cs-presence[hx-post]");

addEventListener("pagehide", () => {
  if (!presence) return;
  const headers = JSON.parse(presence.getAttribute("hx-headers") ?? "{}");
  const left = new FormData();
  left.append("csrfmiddlewaretoken", headers["X-CSRFToken"]);
  left.append("left", "1");
  navigator.sendBeacon(presence.getAttribute("hx-post") ?? "", left);
});
