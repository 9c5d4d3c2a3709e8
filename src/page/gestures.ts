// Wheel, fingers and Shift-drag on a chart, as zooming and moving. Drawing over a stretch is uPlot's own (chart.ts).

export interface Gestures {
  timeAt: (clientX: number) => number;
  /** Pixels as a share of what is in view. */
  shareOf: (pixels: number) => number;
  /** False: it cannot be zoomed any further. */
  zoom: (factor: number, aroundMs: number) => boolean;
  pan: (share: number) => void;
}

/** A notch of a wheel, 100 pixels, is some 16 %. */
const ZOOM_PER_PIXEL = 0.0015;
const LINE_PIXELS = 16;

export function watchGestures(element: HTMLElement, gestures: Gestures): void {
  element.addEventListener("wheel", (event) => onWheel(event, gestures), { passive: false });
  watchPointers(element, gestures);
}

function onWheel(event: WheelEvent, { timeAt, shareOf, zoom, pan }: Gestures): void {
  if (!isOnPlot(event)) return;
  const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PIXELS : 1;
  const [x, y] = event.shiftKey ? [event.deltaX || event.deltaY, 0] : [event.deltaX, event.deltaY];
  if (Math.abs(x) > Math.abs(y)) pan(shareOf(x * pixels));
  // Where there is nothing more to zoom, the page scrolls.
  else if (!zoom(Math.exp(-y * pixels * ZOOM_PER_PIXEL), timeAt(event.clientX))) return;
  event.preventDefault();
}

/** One finger, or the mouse with Shift: move. Two fingers: zoom, around the point between them. */
function watchPointers(element: HTMLElement, { timeAt, shareOf, zoom, pan }: Gestures): void {
  const held = new Map<number, number>();
  element.addEventListener("pointerdown", (event) => {
    if (!isOnPlot(event) || (event.pointerType === "mouse" && !event.shiftKey)) return;
    held.set(event.pointerId, event.clientX);
    (event.target as Element).setPointerCapture(event.pointerId);
    (event.target as Element).classList.add("moving");
  });
  element.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (before === undefined) return;
    const other = [...held].find(([id]) => id !== event.pointerId)?.[1];
    held.set(event.pointerId, event.clientX);
    if (other === undefined) {
      pan(-shareOf(event.clientX - before));
      return;
    }
    const distance = Math.abs(before - other);
    if (distance > 10) zoom(Math.abs(event.clientX - other) / distance || 1, timeAt((event.clientX + other) / 2));
  });
  for (const end of ["pointerup", "pointercancel"] as const) {
    element.addEventListener(end, (event) => {
      held.delete(event.pointerId);
      if (held.size === 0) (event.target as Element).classList.remove("moving");
    });
  }
}

function isOnPlot(event: Event): boolean {
  return event.target instanceof Element && event.target.closest(".u-over") !== null;
}
