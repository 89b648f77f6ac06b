/**
 * The height of what can be seen. An on-screen keyboard shrinks the visual viewport only (iOS; in
 * Chromium the viewport meta asks for more), and the terminal's last line must stay above it.
 */
export function followViewport(): void {
  const vv = visualViewport;
  if (!vv) return;
  const root = document.documentElement;
  const draw = (): void => {
    if (vv.scale > 1.05) return; // somebody zooms in to read
    root.style.setProperty("--height", `${vv.height}px`);
    root.style.setProperty("--top", `${vv.offsetTop}px`);
  };
  vv.addEventListener("resize", draw);
  vv.addEventListener("scroll", draw);
  draw();
}
