// The few things that every part of the page does with elements.

/** The element of that id; throws if index.html has none of that kind. */
export function byId<E extends HTMLElement>(id: string, kind: new () => E): E {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new Error(`index.html has no ${kind.name} #${id}`);
}

/** Writes only what has changed: a screen reader says again what is written again. */
export function say(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function sayAt(id: string, text: string): void {
  say(byId(id, HTMLElement), text);
}

/** A child of its own for each line, the first in the usual type. */
export function sayLines(id: string, first: string, ...small: string[]): void {
  const element = byId(id, HTMLElement);
  const lines = small.filter((line) => line !== "");
  const said = [first, ...lines].join("\n");
  if (element.dataset["said"] === said) return;
  element.dataset["said"] = said;
  const rest = lines.map((line) => {
    const part = document.createElement("small");
    part.textContent = line;
    return part;
  });
  element.replaceChildren(first, ...rest);
}

export function press(button: HTMLElement, isPressed: boolean): void {
  button.setAttribute("aria-pressed", String(isPressed));
}

/** `draw` once before the next frame, however often it is called until then. */
export function oncePerFrame(draw: () => void): () => void {
  let frame = 0;
  return () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      draw();
    });
  };
}

/** Hands `text` over as a file. */
export function download(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
