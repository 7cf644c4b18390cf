// The address bar is the state: #/place?name=value. Reading, changing and watching it; what the names mean is said by
// codecs (params.ts).

import { useLayoutEffect, useState } from "preact/hooks";

export interface Route {
  /** The decoded segments of the path: #/runs/abc is ["runs", "abc"]. */
  path: string[];
  query: URLSearchParams;
}

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s, 2);
  return { path: path.split("/").filter((part) => part !== "").map(decode), query: new URLSearchParams(query) };
}

export function format({ path, query }: Route): string {
  return place(path, query.toString());
}

function place(path: readonly string[], query: string): string {
  return `#/${path.map(encodeURIComponent).join("/")}${query === "" ? "" : `?${query}`}`;
}

/** The address that was asked for last: dozens of components and links ask for the same one at every change. */
const last = { hash: "", route: parse(""), query: "" };

function latest(): typeof last {
  if (last.hash !== location.hash) {
    const route = parse(location.hash);
    Object.assign(last, { hash: location.hash, route, query: route.query.toString() });
  }
  return last;
}

/** Shared by all who ask: to be read only. */
export function current(): Route {
  return latest().route;
}

/** Change places or the query. `replace` adds no step to the browser's history: for what changes while one drags. */
export function go(route: Route, { replace = false } = {}): void {
  const target = format(route);
  if (target === location.hash) return;
  if (replace) history.replaceState(null, "", target);
  else history.pushState(null, "", target);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Set some names of the query and keep the rest; null removes. */
export function change(names: Record<string, string | null>, options: { replace?: boolean } = {}): void {
  const { path } = current();
  const query = new URLSearchParams(current().query);
  for (const [name, value] of Object.entries(names)) {
    if (value === null) query.delete(name);
    else query.set(name, value);
  }
  go({ path, query }, options);
}

/** The link to a place that keeps the names of the query which belong everywhere (workspace, experiments, filter...). */
export function link(path: string[], names: Record<string, string | null> = {}): string {
  const changes = Object.entries(names);
  if (changes.length === 0) return place(path, latest().query);
  const query = new URLSearchParams(current().query);
  for (const [name, value] of changes) {
    if (value === null) query.delete(name);
    else query.set(name, value);
  }
  return format({ path, query });
}

export function useRoute(): Route {
  const [, setHash] = useState(location.hash);
  useLayoutEffect(() => {
    const follow = () => {
      setHash(location.hash);
    };
    addEventListener("hashchange", follow);
    addEventListener("popstate", follow);
    return () => {
      removeEventListener("hashchange", follow);
      removeEventListener("popstate", follow);
    };
  }, []);
  return current();
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
