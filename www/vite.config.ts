// How the page is built. Everything is referenced relatively, so dist/ works beneath any path.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

/**
 * Takes out of xterm.js what a strict style-src forbids: it makes three <style> elements and sets
 * one style attribute. Both are done through the CSS object model instead, which the policy allows:
 * <vk-style> (src/ui/style.ts) holds a constructed style sheet. The counts are checked, so a new
 * xterm.js that does it otherwise fails the build and not the page.
 */
function xtermWithoutInlineStyles(): Plugin {
  const element = /createElement\("style"\)/g;
  const attribute = /(\w+)\.setAttribute\("style",(`[^`]*`)\)/g;
  return {
    name: "xterm-without-inline-styles",
    enforce: "pre",
    transform(code, id) {
      if (!id.includes("@xterm/xterm/lib/xterm.mjs")) return null;
      const elements = code.match(element)?.length;
      const attributes = code.match(attribute)?.length;
      if (elements !== 3 || attributes !== 1) {
        this.error(`xterm.js makes styles in another way: ${elements} elements, ${attributes} attributes`);
      }
      return {
        code: code.replace(element, 'createElement("vk-style")').replace(attribute, "$1.style.cssText=$2"),
        map: null,
      };
    },
  };
}

/** The terminal's chunk is asked for while the entry is still on its way. */
function preloadTerminal(): Plugin {
  return {
    name: "preload-terminal",
    transformIndexHtml: {
      order: "post",
      handler(_html, ctx) {
        const app = Object.values(ctx.bundle ?? {}).find((f) => f.type === "chunk" && f.name === "app");
        return app ? [{ tag: "link", attrs: { rel: "modulepreload", href: `./${app.fileName}`, crossorigin: true }, injectTo: "head" as const }] : [];
      },
    },
  };
}

/** The script that begins before all others stands in the page itself, without its comments. The policy names it by its hash. */
function inlineAhead(): Plugin {
  const place = "<script>src/ahead.js</script>";
  return {
    name: "inline-ahead",
    transformIndexHtml: {
      order: "post",
      handler(html) {
        if (html.split("<script>").length !== 2 || !html.includes(place)) throw new Error("index.html has one inline script, src/ahead.js");
        const lines = readFileSync(new URL("src/ahead.js", import.meta.url), "utf8").split("\n").map((line) => line.trim());
        const script = lines.filter((line) => line !== "" && !line.startsWith("//")).join("\n");
        const hash = createHash("sha256").update(script).digest("base64");
        return html.replace(place, () => `<script>${script}</script>`).replace("script-src 'self'", `script-src 'self' 'sha256-${hash}'`);
      },
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [xtermWithoutInlineStyles(), preloadTerminal(), inlineAhead()],
  build: {
    target: "es2023", // an engine with JSPI has all of it
    assetsInlineLimit: 0, // a data: URL would need a hole in the policy
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  test: { include: ["test/**/*.test.ts"], environment: "node" },
} as Parameters<typeof defineConfig>[0]);
