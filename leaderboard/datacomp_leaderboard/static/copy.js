// A button beside every line for the terminal. Without this file the lines are there to be marked.
for (const line of document.querySelectorAll("code[data-copy]")) {
  if (line.nextElementSibling?.matches("button.copy")) continue;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy: ${line.textContent}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(line); // no clipboard here, as without https
      button.textContent = "Marked";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  line.after(button);
}
