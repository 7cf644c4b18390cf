import { defineConfig } from "vitest/config";

// Every address in the page is relative: it works under any path prefix without being told of it.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/stepwell/web/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  test: { include: ["src/**/*.test.ts", "src/**/*.test.tsx"] },
});
