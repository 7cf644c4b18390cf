"""What an attacker may try, the line that stops it, and the tests that notice when that line is gone.

`scripts/threats.py` takes each line away in a copy of the project and runs its tests, which must fail then.
docs/explanation/trust.md tells the same in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Threat:
    """In `file` (below src/stepwell) the defence `was`, found once; with `becomes` in its place, `test` fails."""

    name: str
    file: str
    was: str
    becomes: str
    test: str


AUTH: Final = "tests/unit/web/test_auth.py"
THREATS: Final = (
    Threat(
        name="a tenant reads another's workspace",
        file="core/access.py",
        was="if principal.workspace not in (ANY_WORKSPACE, workspace):",
        becomes="if False:",
        test=f"{AUTH}::test_another_workspace_is_forbidden_and_a_star_spans_all",
    ),
    Threat(
        name="a reader writes",
        file="core/access.py",
        was="if principal.role < role:",
        becomes="if False:",
        test=f"{AUTH}::test_roles",
    ),
    Threat(
        name="a secret is guessed for a known id",
        file="services/credentials.py",
        was="if credential is None or not hmac.compare_digest(credential.secret_hash, given):",
        becomes="if credential is None:",
        test=f"{AUTH}::test_a_secret_of_another_credential_is_401",
    ),
    Threat(
        name="a revoked credential goes on",
        file="core/access.py",
        was="if self.revoked_at is not None:",
        becomes="if False:",
        test=f"{AUTH}::test_a_revoked_credential_is_refused_within_a_second",
    ),
    Threat(
        name="an expired credential goes on",
        file="core/access.py",
        was="if self.expires_at is not None and now >= self.expires_at:",
        becomes="if False:",
        test=f"{AUTH}::test_an_expired_credential_is_refused",
    ),
    Threat(
        name="a route is made public by mistake",
        file="web/routing.py",
        was="if route.public and route.path not in PUBLIC_PATHS:",
        becomes="if False:",
        test=f"{AUTH}::test_a_route_that_claims_to_be_public_must_be_on_the_list",
    ),
    Threat(
        name="DNS rebinding: a foreign name leads to this machine",
        file="web/auth.py",
        was='if host is None or not self._is_ours(host.decode("latin-1")):',
        becomes="if False:",
        test=f"{AUTH}::test_foreign_hosts_are_403_on_every_route",
    ),
    Threat(
        name="CSRF: a foreign page asks a server without credentials",
        file="web/auth.py",
        was="if origin is not None and not self._is_ours(_authority(origin)):",
        becomes="if False:",
        test=f"{AUTH}::test_foreign_origins_are_403",
    ),
    Threat(
        name="CSRF: a foreign page uses the browser's Basic credential",
        file="web/auth.py",
        was="if downgraded or _authority(origin) !=",
        becomes="if False and _authority(origin) !=",
        test=f"{AUTH}::test_a_foreign_page_cannot_use_a_basic_credential_of_the_browser",
    ),
    Threat(
        name="a client writes X-Forwarded-* itself",
        file="web/forwarding.py",
        was="for each in values[-hops:]]",
        becomes="for each in values]",
        test="tests/unit/web/test_forwarding.py::test_only_the_last_values_are_believed",
    ),
    Threat(
        name="request smuggling: a header that decides comes twice",
        file="web/application.py",
        was="if seen[name] > 1:",
        becomes="if False:",
        test="tests/unit/web/test_application.py::test_headers_that_decide_must_not_repeat",
    ),
    Threat(
        name="request smuggling: a field after the body becomes a header",
        file="web/connection.py",
        was="self._headers = []  # fields",
        becomes="pass  # fields",
        test="tests/api/test_connections.py::test_a_field_after_the_body_is_no_header",
    ),
    Threat(
        name="what stands beside a body fills the memory",
        file="web/connection.py",
        was="self._head_bytes += self._read",
        becomes="pass",
        test="tests/api/test_connections.py::test_what_stands_between_and_after_the_pieces_of_a_body_is_bounded",
    ),
    Threat(
        name="clients that read no answer keep everybody out",
        file="web/server.py",
        was="round(limits.answer_seconds * 1000)",
        becomes="0",
        test="tests/api/test_connections.py::test_who_takes_nothing_of_an_answer_is_let_go",
    ),
    Threat(
        name="a request id forges lines of the log or headers",
        file="web/application.py",
        was="if given is not None and _REQUEST_ID.fullmatch(given):",
        becomes="if given is not None:",
        test="tests/unit/web/test_application.py::test_a_request_id_that_is_not_sane_is_replaced",
    ),
    Threat(
        name="a gzip bomb fills the memory",
        file="web/body.py",
        was="plain = unpacker.decompress(data, limit + 1)",
        becomes="plain = unpacker.decompress(data)",
        test="tests/unit/web/test_body.py::test_a_gzip_bomb_is_not_unpacked_beyond_the_limit",
    ),
    Threat(
        name="many bodies at once fill the memory",
        file="web/body.py",
        was="if self.used + size > self.limit:",
        becomes="if False:",
        test="tests/unit/web/test_body.py::test_bodies_in_flight_are_bounded_together",
    ),
    Threat(
        name="a signed request is changed on its way",
        file="web/body.py",
        was="if not hmac.compare_digest(found, expected):",
        becomes="if False:",
        test="tests/unit/web/test_signatures.py::test_a_changed_body_is_refused",
    ),
    Threat(
        name="a signed request is sent again much later",
        file="web/signatures/request.py",
        was="if abs(now - claim.signed_at) > WINDOW_MINUTES * 60 * 10**6:",
        becomes="if False:",
        test="tests/unit/web/test_signatures.py::test_a_signature_holds_for_a_quarter_of_an_hour",
    ),
    Threat(
        name="a link to a file is changed to another",
        file="dialects/pluto/signing.py",
        was="if not hmac.compare_digest(link._code(key).encode(),",
        becomes="if False and not hmac.compare_digest(link._code(key).encode(),",
        test="tests/unit/dialects/pluto/test_signing.py",
    ),
    Threat(
        name="a link to a file is used for ever",
        file="dialects/pluto/signing.py",
        was="if now >= link.expires * 1_000_000:",
        becomes="if False:",
        test="tests/unit/dialects/pluto/test_signing.py",
    ),
    Threat(
        name="a token is made by hand",
        file="services/tokens.py",
        was="if not hmac.compare_digest(_encode(key.code(_PURPOSE, signed.encode())), code):",
        becomes="if False:",
        test="tests/unit/services/test_tokens.py",
    ),
    Threat(
        name="a file's path leaves its run",
        file="storage/catalog/blob_rows.py",
        was='any(part in {"", ".", ".."} for part in path.split("/"))',
        becomes="False",
        test="tests/unit/storage/test_catalog_blobs.py::test_a_path_that_may_not_be_is_refused",
    ),
    Threat(
        name="a symbolic link stands in the place of a file",
        file="storage/files.py",
        was="_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW |",
        becomes="_READ_FLAGS = os.O_RDONLY |",
        test="tests/unit/storage/test_catalog_blobs.py::test_a_link_in_the_place_of_a_content_is_refused",
    ),
    Threat(
        name="a logged page runs in our origin",
        file="dialects/native/routes.py",
        was="sandbox; default-src 'none'",
        becomes="default-src *",
        test="tests/api/test_native_files.py::test_a_browser_runs_nothing",
    ),
    Threat(
        name="a browser guesses that a logged text is a page",
        file="web/application.py",
        was='headers.append((b"x-content-type-options", b"nosniff"))',
        becomes="pass",
        test="tests/api/test_native_files.py::test_a_browser_runs_nothing",
    ),
    Threat(
        name="clickjacking: our page in a foreign frame",
        file="web/page.py",
        was="frame-ancestors 'none'",
        becomes="frame-ancestors *",
        test="tests/unit/web/test_page.py::test_the_document_may_run_nothing_but_its_own_files_and_is_asked_for_anew",
    ),
    Threat(
        name="a backup of somebody else's is a bomb",
        file="storage/embedded/backing.py",
        was="if most is not None and length > most:",
        becomes="if False:",
        test="tests/unit/storage/test_hostile_copies.py::test_no_more_is_written_than_the_manifest_says",
    ),
    Threat(
        name="a backup's path leaves the data directory",
        file="storage/embedded/backing.py",
        was='or any(n.parts[0] != FOLDER or ".." in n.parts for n in names[1:])',
        becomes="or False",
        test="tests/unit/storage/test_hostile_copies.py::test_no_path_leads_out",
    ),
    Threat(
        name="a workspace holds more than its quota",
        file="storage/catalog/quotas.py",
        was="if used.counts[name] + more > limit:",
        becomes="if False:",
        test="tests/conformance/test_quotas.py::test_what_is_set_and_what_is_there_outlive_the_server",
    ),
    Threat(
        name="an upload without an end fills the disk",
        file="storage/catalog/blobs.py",
        was="if most is not None and self._sizes[workspace] + size > most:",
        becomes="if False:",
        test="tests/conformance/test_quotas.py::test_files_on_their_way_are_bounded_too",
    ),
    Threat(
        name="a workspace raises its own quota",
        file="dialects/native/bounds.py",
        was="if ask.principal.workspace != ANY_WORKSPACE and values != _quota_of(ask, workspace):",
        becomes="if False:",
        test="tests/api/test_native_bounds.py::test_retention_is_set_tried_and_applied",
    ),
    Threat(
        name="an admin of one workspace sets what another keeps",
        file="services/bounds.py",
        was="if allowed not in (ANY_WORKSPACE, workspace):",
        becomes="if False:",
        test="tests/api/test_tenants.py::test_what_spans_workspaces_ends_at_ours",
    ),
    Threat(
        name="a reader of one audit log reads another's",
        file="services/audit.py",
        was="if workspace not in (None, allowed):",
        becomes="if False:",
        test="tests/api/test_native_audit.py::test_who_deleted_what_in_whatever_dialect_and_from_where",
    ),
    Threat(
        name="what another workspace writes is told as activity",
        file="dialects/native/access.py",
        was="ask.store.writing(workspace=ask.principal.workspace, limit=query.limit)",
        becomes="ask.store.writing(limit=query.limit)",
        test="tests/unit/dialects/native/test_activity.py::test_activity_of_other_workspaces_is_not_told",
    ),
    Threat(
        name="a raw form lies about its lengths",
        file="dialects/native/raw.py",
        was="if len(body) % _WORD or size % _WORD or not _WORD + size <= len(body):",
        becomes="if False:",
        test="tests/unit/dialects/native/test_raw_points.py::test_what_is_no_raw_form_is_named",
    ),
    Threat(
        name="passwords of a warehouse are in a text for people",
        file="storage/warehouse/address.py",
        was="f\"{name} {found['place'] if found else '...'}\"",
        becomes='f"{name} {url}"',
        test="tests/unit/storage/test_address.py::test_people_see_the_places_alone",
    ),
    Threat(
        name="passwords of a warehouse are in the settings' text",
        file="settings.py",
        was="store: str | None = field(default=None, repr=False)",
        becomes="store: str | None = field(default=None)",
        test="tests/unit/test_settings.py",
    ),
    Threat(
        name="what a user wrote is in a trace",
        file="web/otel.py",
        was="code = error.code if isinstance(error, StepwellError) else type(error).__name__",
        becomes="code = str(error)",
        test="tests/api/test_traces.py::test_an_error_is_told_by_its_kind_alone",
    ),
    Threat(
        name="other users of the machine read the store",
        file="storage/embedded/engine.py",
        was="files.create(FILE).close()",
        becomes="pass",
        test="tests/unit/storage/test_private_files.py::test_of_a_store",
    ),
    Threat(
        name="they read a backup",
        file="storage/embedded/archive.py",
        was="with created(unfinished) as file:",
        becomes='with unfinished.open("xb") as file:',
        test="tests/unit/storage/test_private_files.py::test_of_a_backup",
    ),
    Threat(
        name="the server's key can be read by everybody",
        file="web/key_file.py",
        was="if os.fstat(file.fileno()).st_mode & _OTHERS:",
        becomes="if False:",
        test="tests/unit/web/test_key_file.py",
    ),
)
