/**
 * One terminal: xterm.js, dressed and wired. It knows nothing of the machine; what it is given are
 * bytes to show, and what it gives are bytes that were typed.
 */
import { FitAddon } from "@xterm/addon-fit";
import { Terminal, type ITheme } from "@xterm/xterm";
import { pasteText } from "../lib/paste.js";
import { palettes, type ThemeName } from "../lib/theme.js";
import { currentTheme } from "./theme.js";

const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const;

export function xtermTheme(name: ThemeName): ITheme {
  const p = palettes[name];
  const theme: Record<string, string> = {
    background: p.background,
    foreground: p.foreground,
    cursor: p.cursor,
    cursorAccent: p.cursorAccent,
    selectionBackground: p.selectionBackground,
    scrollbarSliderBackground: name === "dark" ? "#ffffff26" : "#0000002e",
    scrollbarSliderHoverBackground: name === "dark" ? "#ffffff40" : "#00000047",
    scrollbarSliderActiveBackground: name === "dark" ? "#ffffff59" : "#00000061",
  };
  NAMES.forEach((n, i) => {
    theme[n] = p.ansi[i]!;
    theme["bright" + n[0]!.toUpperCase() + n.slice(1)] = p.ansi[i + 8]!;
  });
  return theme as ITheme;
}

/** What xterm.js keeps of its theme: no part of its API. */
interface ThemeService {
  colors: { foreground: { rgba: number }; contrastCache: { setColor(bg: number, fg: number, adjusted: null): void } };
  onChangeColors(listener: () => void): void;
}

/**
 * Has inverse text drawn in the background's colour. xterm.js 6.0.0 asks for the contrast of inverse default text as if it
 * had the foreground's colour, on the foreground's, and so makes it grey (DomRendererRowFactory: `_applyMinimumContrast`
 * with `colors.foreground`). Its cache of answers is told that this pair needs no adjusting. Only inverse text has this
 * pair: no colour of a palette is the same as its foreground.
 */
function mendInverse(xterm: Terminal): void {
  const themes = (xterm as unknown as { _core?: { _themeService?: ThemeService } })._core?._themeService;
  if (!themes?.colors?.contrastCache) return;
  const mend = (): void => {
    const { rgba } = themes.colors.foreground;
    themes.colors.contrastCache.setColor(rgba, rgba, null);
  };
  themes.onChangeColors(mend);
  mend();
}

export interface TerminalEvents {
  /** Bytes to send to the program. */
  input(bytes: Uint8Array): void;
  resized(cols: number, rows: number): void;
  title(text: string): void;
  link(url: string): void;
  /** The payload of OSC 1337. */
  osc1337(payload: string): void;
  /** The payload of OSC 52. */
  osc52(payload: string): void;
  /** A shortcut of the page? Then the terminal does not see the key. */
  shortcut(e: KeyboardEvent): boolean;
  bell(): void;
  /** Text as the user typed it, before it is sent: the key row's sticky Ctrl and Alt. */
  typed(text: string): string;
}

let fastWebgl: boolean | undefined;

/** In software WebGL is slower than the document. */
function hasFastWebgl(): boolean {
  fastWebgl ??= (() => {
    const gl = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
    if (!gl) return false;
    // Chromium's SwiftShader and Mesa's llvmpipe do not count as a caveat.
    const info = gl.getExtension("WEBGL_debug_renderer_info");
    const name = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
    gl.getExtension("WEBGL_lose_context")?.loseContext();
    return !/swiftshader|llvmpipe|software|basic render/i.test(name);
  })();
  return fastWebgl;
}

const encoder = new TextEncoder();

export class TerminalView {
  readonly xterm: Terminal;
  readonly #fit = new FitAddon();
  readonly #observer: ResizeObserver;
  #frame = 0;

  constructor(
    readonly element: HTMLElement,
    private readonly events: TerminalEvents,
    options: { screenReader: boolean; fontSize: number },
  ) {
    this.xterm = new Terminal({
      allowProposedApi: true, // the widths of the graphemes addon
      fontFamily: 'ui-monospace, "Cascadia Mono", "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace',
      fontSize: options.fontSize,
      lineHeight: 1.15,
      theme: xtermTheme(currentTheme()),
      // A program that picks one colour of a pair (the text on a red bar) does not know the theme.
      minimumContrastRatio: 4.5,
      scrollback: 5000,
      cursorBlink: false, // nothing moves by itself
      screenReaderMode: options.screenReader,
      macOptionIsMeta: true,
      linkHandler: { activate: (_e, url) => this.events.link(url), allowNonHttpProtocols: false },
    });
    this.xterm.loadAddon(this.#fit);
    this.#wire();
    this.#observer = new ResizeObserver(() => this.fitSoon());
  }

  /** Puts it into the document. Its size is right afterwards. */
  open(): void {
    this.xterm.open(this.element);
    mendInverse(this.xterm);
    const textarea = this.xterm.textarea!;
    textarea.setAttribute("autocomplete", "off");
    textarea.setAttribute("aria-describedby", "terminal-help");
    this.element.addEventListener("paste", (e) => this.#pasted(e), { capture: true });
    this.fit();
    this.#observer.observe(this.element);
  }

  #wire(): void {
    const { xterm, events } = this;
    xterm.onData((text) => events.input(encoder.encode(events.typed(text))));
    xterm.onBinary((text) => events.input(Uint8Array.from(text, (c) => c.charCodeAt(0))));
    xterm.onResize(({ cols, rows }) => events.resized(cols, rows));
    xterm.onTitleChange((t) => events.title(t));
    xterm.onBell(() => events.bell());
    xterm.attachCustomKeyEventHandler((e) => !events.shortcut(e));
    xterm.parser.registerOscHandler(1337, (data) => (events.osc1337(data), true));
    xterm.parser.registerOscHandler(52, (data) => (events.osc52(data), true));
  }

  #pasted(e: ClipboardEvent): void {
    const text = e.clipboardData?.getData("text/plain");
    e.preventDefault();
    e.stopPropagation();
    if (text) this.paste(text);
  }

  paste(text: string): void {
    this.xterm.paste(pasteText(text));
  }

  write(bytes: Uint8Array, shown: () => void): void {
    this.xterm.write(bytes, shown);
  }

  fit(): void {
    if (this.element.clientWidth > 0 && this.element.clientHeight > 0) this.#fit.fit();
  }

  /** A drag of the window's edge gives many sizes; the program is told one a frame. */
  fitSoon(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.fit());
  }

  setTheme(name: ThemeName): void {
    this.xterm.options.theme = xtermTheme(name);
  }

  /** What is not needed for a prompt comes after it: faster drawing, links in text, emoji widths. */
  async enrich(): Promise<void> {
    const [{ WebLinksAddon }, { UnicodeGraphemesAddon }] = await Promise.all([
      import("@xterm/addon-web-links"),
      import("@xterm/addon-unicode-graphemes"),
    ]);
    this.xterm.loadAddon(new WebLinksAddon((_e, url) => this.events.link(url)));
    this.xterm.loadAddon(new UnicodeGraphemesAddon());
    if (!hasFastWebgl()) return;
    const { WebglAddon } = await import("@xterm/addon-webgl");
    const webgl = new WebglAddon();
    // Engines take contexts away from pages that have many; the first renderer comes back then.
    webgl.onContextLoss(() => webgl.dispose());
    try {
      this.xterm.loadAddon(webgl);
    } catch {
      webgl.dispose();
    }
  }

  focus(): void {
    this.xterm.focus();
  }

  /** What stands in it, scrollback included, lines that were wrapped in one piece. */
  text(): string {
    const buffer = this.xterm.buffer.active;
    let all = "";
    for (let i = 0; i < buffer.length; i++) {
      const line = buffer.getLine(i)!;
      if (i > 0 && !line.isWrapped) all = all.trimEnd() + "\n";
      all += line.translateToString();
    }
    return all.trimEnd();
  }

  dispose(): void {
    cancelAnimationFrame(this.#frame);
    this.#observer.disconnect();
    this.xterm.dispose();
  }
}
