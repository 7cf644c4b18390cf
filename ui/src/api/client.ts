// The one place that talks to the server: typed by the OpenAPI document, never throws for what a server can answer.
// What the answers mean, and when to ask, is for the callers.

import type { paths } from "./schema";

/** An error as the page shows it. `code` is the server's word, or "unreachable" and "unreadable" of our own. */
export interface Problem {
  status: number;
  code: string;
  message: string;
  field: string | null;
  position: number | null;
  requestId: string | null;
}

export type Result<T> = { ok: true; data: T } | { ok: false; error: Problem };

type Verb = "get" | "post" | "put" | "patch" | "delete";
type PathWith<V extends Verb> = {
  [P in keyof paths]: paths[P] extends Record<V, { responses: unknown }> ? P : never;
}[keyof paths];
type Operation<P extends keyof paths, V extends Verb> = V extends keyof paths[P] ? paths[P][V] : never;
type JsonOf<R> = R extends { content: { "application/json": infer B } } ? B : undefined;
type Answer<O> = O extends { responses: infer R } ? JsonOf<R[keyof R & (200 | 201 | 204)]> : never;
type RawFormOf<O> = O extends { responses: { 200: { content: infer C } } } ? Exclude<keyof C & string, "application/json"> : never;
type ParametersOf<O> = O extends { parameters: infer A } ? A : never;
type QueryOf<O> = ParametersOf<O> extends { query?: infer Q } ? Q : never;
type PathParameters<O> = ParametersOf<O> extends { path: infer A } ? { path: A } : { path?: never };
type BodyOf<O> = O extends { requestBody?: { content: { "application/json": infer B } } } ? { body?: B } : { body?: never };

export type Request<O> = PathParameters<O> & BodyOf<O> & { query?: QueryOf<O>; signal?: AbortSignal };

/** Where the server's paths begin: one folder above the page, whatever prefix a proxy puts before it. */
export const BASE = new URL("..", typeof document === "undefined" ? "http://localhost/ui/" : document.baseURI);

/** What every request carries. The session sets it; nothing else here remembers anything. */
export const identity: { secret: string | null; workspace: string | null; refused: (() => void) | null } = {
  secret: null,
  workspace: null,
  refused: null,
};

export function headersOf(): Headers {
  const headers = new Headers();
  if (identity.secret !== null) headers.set("authorization", `Bearer ${identity.secret}`);
  if (identity.workspace !== null) headers.set("x-stepwell-workspace", identity.workspace);
  return headers;
}

/** What no header can carry: a browser throws. Secrets and names of workspaces never have it. */
const UNSAYABLE = /[^\t\x20-\x7e\x80-\xff]/;

/** The answer to who one says to be, where it cannot even be asked. */
function unsayable(): { ok: false; error: Problem } | null {
  const { secret, workspace } = identity;
  if (secret !== null && UNSAYABLE.test(secret)) return failed(401, "unauthenticated", "it has letters that no secret has");
  if (workspace !== null && UNSAYABLE.test(workspace)) return failed(400, "invalid", `There is no workspace ${workspace}.`);
  return null;
}

type Plain = string | number | boolean | null | undefined;
type Named = Record<string, Plain | Plain[]>;

/** The address of a path below the server's root, its {parameters} filled in and escaped. */
export function address(path: string, parameters: Named = {}, query: Named = {}): URL {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = String(parameters[name] ?? "");
    return (name === "path" ? value.split("/") : [value]).map(encodeURIComponent).join("/");
  });
  const url = new URL(filled.replace(/^\//, ""), BASE);
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null) url.searchParams.append(name, String(each));
    }
  }
  return url;
}

/** The secret is in our own header. A browser that may add its own would ask for a password at every 401. */
const QUIETLY: RequestInit = { credentials: "omit" };

async function send<T>(verb: Verb, path: string, request: Request<unknown>): Promise<Result<T>> {
  const sent = await answerOf(verb, path, request, (response) => response.text());
  if (!sent.ok) return sent;
  const { response, body: text } = sent.data;
  if (text === "") return response.ok ? { ok: true, data: undefined as T } : failed(response.status, "empty", response.statusText);
  const told = parsed(text);
  if (told === undefined) return failed(response.status, "unreadable", "The answer is not JSON. Is there another server between?");
  return response.ok ? { ok: true, data: told as T } : { ok: false, error: problem(response.status, told) };
}

/** What comes back, read to its end. `accept`: the form that the answer should have. */
async function answerOf<B>(
  verb: Verb,
  path: string,
  request: Request<unknown>,
  read: (response: Response) => Promise<B>,
  accept?: string,
): Promise<Result<{ response: Response; body: B }>> {
  const { path: parameters, query, body, signal } = request as {
    path?: Named;
    query?: Named;
    body?: unknown;
    signal?: AbortSignal;
  };
  const refusal = unsayable();
  if (refusal !== null) return refusal;
  const url = address(path, parameters, query);
  const headers = headersOf();
  const { secret } = identity;
  const init: RequestInit = { ...QUIETLY, method: verb.toUpperCase(), headers, signal: signal ?? null };
  if (body !== undefined) {
    headers.set("content-type", "application/json");
    init.body = JSON.stringify(body);
  }
  if (accept !== undefined) headers.set("accept", accept);
  try {
    const response = await fetch(url, init);
    heed(response, secret);
    return { ok: true, data: { response, body: await read(response) } };
  } catch (error) {
    if (signal?.aborted) throw error;
    return failed(0, "unreachable", "The server does not answer.");
  }
}

/** Tells that the secret is refused, unless another is in use by now: an answer may come after somebody has signed in. */
function heed(response: Response, secret: string | null): void {
  if (response.status === 401 && secret === identity.secret) identity.refused?.();
}

function failed(status: number, code: string, message: string): { ok: false; error: Problem } {
  return { ok: false, error: { status, code, message, field: null, position: null, requestId: null } };
}

function problem(status: number, told: unknown): Problem {
  const error = (told as { error?: Record<string, unknown> } | null | undefined)?.error ?? {};
  const text = (name: string) => (typeof error[name] === "string" ? error[name] : null);
  return {
    status,
    code: text("code") ?? "unknown",
    message: text("message") ?? `The server answered ${status}.`,
    field: text("field"),
    position: typeof error.position === "number" ? error.position : null,
    requestId: text("request_id"),
  };
}

export function get<P extends PathWith<"get">>(
  path: P,
  request: Request<Operation<P, "get">>,
): Promise<Result<Answer<Operation<P, "get">>>> {
  return send("get", path, request as Request<unknown>);
}

export function post<P extends PathWith<"post">>(
  path: P,
  request: Request<Operation<P, "post">>,
): Promise<Result<Answer<Operation<P, "post">>>> {
  return send("post", path, request as Request<unknown>);
}

/** As `post`, with the answer in another form than JSON. */
export function postRaw<P extends PathWith<"post">>(
  path: P,
  request: Request<Operation<P, "post">>,
  form: RawFormOf<Operation<P, "post">>,
): Promise<Result<ArrayBuffer>> {
  return sendRaw("post", path, request as Request<unknown>, form);
}

/** As `get`, with the answer in another form than JSON. */
export function getRaw<P extends PathWith<"get">>(
  path: P,
  request: Request<Operation<P, "get">>,
  form: RawFormOf<Operation<P, "get">>,
): Promise<Result<ArrayBuffer>> {
  return sendRaw("get", path, request as Request<unknown>, form);
}

async function sendRaw(verb: Verb, path: string, request: Request<unknown>, form: string): Promise<Result<ArrayBuffer>> {
  const sent = await answerOf(verb, path, request, (response) => response.arrayBuffer(), form);
  if (!sent.ok) return sent;
  const { response, body } = sent.data;
  if (response.ok && response.headers.get("content-type") === form) return { ok: true, data: body };
  return { ok: false, error: problem(response.status, parsed(new TextDecoder().decode(body))) };
}

/** Undefined where it is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export function put<P extends PathWith<"put">>(
  path: P,
  request: Request<Operation<P, "put">>,
): Promise<Result<Answer<Operation<P, "put">>>> {
  return send("put", path, request as Request<unknown>);
}

export function patch<P extends PathWith<"patch">>(
  path: P,
  request: Request<Operation<P, "patch">>,
): Promise<Result<Answer<Operation<P, "patch">>>> {
  return send("patch", path, request as Request<unknown>);
}

export function remove<P extends PathWith<"delete">>(
  path: P,
  request: Request<Operation<P, "delete">>,
): Promise<Result<Answer<Operation<P, "delete">>>> {
  return send("delete", path, request as Request<unknown>);
}

/** The answer that has a file's bytes, for the caller to read; throws where the server does not answer. */
export async function opened(path: string, signal?: AbortSignal): Promise<Response> {
  const { secret } = identity;
  const response = await fetch(new URL(path.replace(/^\//, ""), BASE), { ...QUIETLY, headers: headersOf(), signal: signal ?? null });
  heed(response, secret);
  return response;
}

/** The bytes of a file, with the credential; for previews and downloads. */
export async function file(path: string, signal?: AbortSignal): Promise<Result<Blob>> {
  try {
    const response = await opened(path, signal);
    if (response.ok) return { ok: true, data: await response.blob() };
    return { ok: false, error: problem(response.status, await response.json().catch(() => null)) };
  } catch (error) {
    if (signal?.aborted) throw error;
    return failed(0, "unreachable", "The server does not answer.");
  }
}
