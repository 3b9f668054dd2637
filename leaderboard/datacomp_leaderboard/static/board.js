// Keys, ticking and the weight lab of a board. Without this file everything works, with more clicks.

const most = 6;
const usual = ["baselines", "oracle", "withdrawn"];

const rows = () => [...document.querySelectorAll(".board tbody tr:not(.tier)")];
const picking = () => document.querySelector("form.picking");
const ticked = () => [...document.querySelectorAll("input[name=ids]:checked")];

function go(step) {
  const all = rows();
  const here = all.indexOf(document.activeElement?.closest("tr"));
  const next = all[here < 0 ? 0 : Math.min(Math.max(here + step, 0), all.length - 1)];
  next?.querySelector(".method a").focus();
  next?.scrollIntoView({ block: "nearest" });
}

function count() {
  const form = picking();
  if (!form) return;
  const n = ticked().length;
  const button = form.querySelector(".compare button");
  button.textContent = n ? `Compare ${n}` : "Compare";
  button.disabled = n < 2;
  form.classList.toggle("some", n > 0);
  for (const box of form.querySelectorAll("input[name=ids]")) {
    box.disabled = n >= most && !box.checked;
  }
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox]), select, textarea, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "j") go(1);
  else if (event.key === "k") go(-1);
  else if (event.key === "?") document.querySelector("dialog.keys").showModal();
  else if (event.key === "c" && ticked().length > 1) picking().requestSubmit();
  else if (event.key === " " && event.target.matches(".board .method a")) {
    event.target.closest("tr").querySelector("input[name=ids]").click();
    event.preventDefault();
  }
});
document.addEventListener("change", (event) => event.target.name === "ids" && count());
addEventListener("pageshow", count); // a browser that goes back restores what was ticked
count();

// an address says only what differs from the board's own
function addressOf(form) {
  const query = new URLSearchParams();
  const kinds = [...form.querySelectorAll("input[name=show][type=checkbox]")];
  const plain = kinds.every((one) => one.checked === usual.includes(one.value));
  for (const [name, value] of new FormData(form)) {
    const standard = form.elements[name].dataset?.default;
    if (value && value !== standard && !(name === "show" && plain)) query.append(name, value);
  }
  const text = query.toString();
  return form.action + (text ? `?${text}` : "");
}

const lab = document.querySelector(".lab-form");
lab?.addEventListener("submit", (event) => {
  event.preventDefault();
  location.assign(addressOf(lab));
});

// a slider beside each weight shows the new order at once; the number stays the truth
let asked = 0;
async function reorder() {
  const address = addressOf(lab);
  const turn = ++asked;
  const answer = await fetch(address);
  if (!answer.ok || turn !== asked) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector("#view").replaceWith(page.querySelector("#view"));
  history.replaceState(null, "", address);
  count();
}

function addSliders() {
  for (const number of lab.querySelectorAll(".weights input[type=number]")) {
    const slider = document.createElement("input");
    const shown = () => Number(number.value === "" ? number.placeholder : number.value);
    const label = number.parentElement;
    const value = String(shown());
    Object.assign(slider, { type: "range", min: "0", max: "4", step: "0.25", value });
    slider.setAttribute("aria-label", `${label.textContent.trim()}, slider`);
    const mark = () => label.classList.toggle("changed", number.value !== "");
    slider.addEventListener("input", () => {
      number.value = slider.value === number.placeholder ? "" : slider.value;
      mark();
    });
    number.addEventListener("input", () => {
      slider.value = String(shown());
      mark();
    });
    slider.addEventListener("change", reorder);
    number.addEventListener("change", reorder);
    label.nextElementSibling.append(slider); // its place is kept, so nothing moves
  }
}

// most readers never open the lab
const choices = document.querySelector(".choices");
if (choices?.open) addSliders();
else choices?.addEventListener("toggle", addSliders, { once: true });
