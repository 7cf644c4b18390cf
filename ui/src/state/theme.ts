// Light, dark, or as the system has it. A preference of this browser, not a state of the view.

import { useLayoutEffect, useState } from "preact/hooks";

export type Theme = "system" | "light" | "dark";
const KEY = "stepwell-theme";
const THEMES: readonly Theme[] = ["system", "light", "dark"];

/** What was chosen last time. */
export function stored(): Theme {
  const given = localStorage.getItem(KEY);
  return THEMES.find((theme) => theme === given) ?? "system";
}

export function apply(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function useTheme(): [Theme, () => void] {
  const [theme, setTheme] = useState(stored);
  useLayoutEffect(() => {
    apply(theme);
    localStorage.setItem(KEY, theme);
    dispatchEvent(new Event("stepwell-theme"));
  }, [theme]);
  return [theme, () => setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system")];
}
