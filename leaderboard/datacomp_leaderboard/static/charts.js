// Makes the pictures of charts answer to a pointer, after the page is there and near where the
// reader is. Without this file, or on any error, the pictures stay as they are.

const { bundle, integrity } = document.querySelector("script[data-bundle]").dataset;
const narrow = matchMedia("(max-width: 37.5rem)");
const live = new Map(); // figure -> what takes its drawing away
const tip = document.createElement("div");
let loading;

function load() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { type: "module", src: bundle, integrity, onload: resolve, onerror: reject });
    document.head.append(script);
  });
  return loading;
}

async function enliven(figure) {
  const { spec, narrowSpec } = figure.dataset;
  const picture = figure.querySelector("picture");
  const answer = await fetch(narrow.matches && narrowSpec ? narrowSpec : spec);
  if (!answer.ok) return;
  const [drawing] = await Promise.all([answer.json(), load()]);
  const place = document.createElement("div");
  const drawn = await window.vegaEmbed(place, drawing, {
    ast: true, // no eval, as the site's policy asks
    defaultStyle: false,
    renderer: "svg",
    actions: false,
    tooltip: show,
  });
  // Vega names it after itself
  place.removeAttribute("aria-roledescription");
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", picture.querySelector("img").alt);
  place.firstElementChild.setAttribute("aria-hidden", "true"); // the name is the place's
  live.get(figure)?.();
  picture.hidden = true;
  picture.after(place);
  live.set(figure, () => {
    drawn.finalize();
    place.remove();
  });
}

function show(_handler, event, _item, values) {
  tip.hidden = !values;
  if (!values) return;
  tip.replaceChildren(
    ...Object.entries(values).map(([name, value]) => {
      const line = document.createElement("div");
      const key = document.createElement("span");
      key.textContent = `${name} `;
      line.append(key, String(value));
      return line;
    }),
  );
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - width - 4);
  const above = event.clientY - height - 14;
  tip.style.left = `${Math.max(left, 4)}px`;
  tip.style.top = `${above > 4 ? above : event.clientY + 18}px`;
}

function start() {
  tip.className = "chart-tip";
  tip.hidden = true;
  document.body.append(tip);
  const near = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        enliven(target).catch(() => {});
      }
    },
    { rootMargin: "200px" },
  );
  for (const figure of document.querySelectorAll("figure[data-spec]")) near.observe(figure);
  narrow.addEventListener("change", () => {
    for (const figure of live.keys()) enliven(figure).catch(() => {});
  });
  addEventListener("scroll", () => (tip.hidden = true), { passive: true });
}

const idle = window.requestIdleCallback ?? setTimeout;
if (document.querySelector("figure[data-spec]")) {
  if (document.readyState === "complete") idle(start);
  else addEventListener("load", () => idle(start));
}
