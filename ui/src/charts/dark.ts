// Whether the page is dark now.

import { useEffect, useState } from "preact/hooks";

export function isDark(): boolean {
  const { theme } = document.documentElement.dataset;
  return theme === undefined ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
}

export function useDark(): boolean {
  const [dark, setDark] = useState(isDark);
  useEffect(() => {
    const look = () => setDark(isDark());
    const system = matchMedia("(prefers-color-scheme: dark)");
    look();
    addEventListener("stepwell-theme", look);
    system.addEventListener("change", look);
    return () => {
      removeEventListener("stepwell-theme", look);
      system.removeEventListener("change", look);
    };
  }, []);
  return dark;
}
