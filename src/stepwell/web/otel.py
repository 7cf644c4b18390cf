"""Spans for OpenTelemetry: a request, its work in a pool, its commit. Imported only when traces are wanted."""

from __future__ import annotations

from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from stepwell.core.errors import StepwellError
from stepwell.core.tracing import Span
from stepwell.web.call import Call

_PARENT: Final = ("traceparent", "tracestate")


class Tracing:
    """Begins the span of each request, below the caller's where its headers name one (W3C Trace Context)."""

    def __init__(self, provider: TracerProvider, version: str) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("stepwell", version)
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, call: Call) -> RequestSpan:
        """The span of a request, whose route is not known yet."""
        carrier = {name: value for name in _PARENT if (value := call.header(name)) is not None}
        span = self._tracer.start_span(
            call.method,
            context=self._propagator.extract(carrier),
            kind=trace.SpanKind.SERVER,
            attributes={"http.request.method": call.method, "stepwell.request_id": call.request_id},
        )
        return RequestSpan(self._tracer, span)

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()


class _Span:
    """Implements core.tracing.Span."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    def child(self, name: str) -> Span:
        """See Span."""
        return _Span(self._tracer, self._tracer.start_span(name, context=trace.set_span_in_context(self._span)))

    def end(self, error: BaseException | None = None) -> None:
        """See Span. Of an error its kind alone: its message may hold what users wrote."""
        if error is not None:
            code = error.code if isinstance(error, StepwellError) else type(error).__name__
            self._span.set_attribute("error.type", code)
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()


class RequestSpan(_Span):
    """The span of a request."""

    def answered(self, call: Call, route: str, status: int) -> None:
        """What is known once the answer is made. No path that users chose, no workspace's data: the route's pattern."""
        if route:
            self._span.update_name(f"{call.method} {route}")
            self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        self._span.set_attribute("stepwell.dialect", call.dialect)
        self._span.set_attribute("stepwell.workspace", call.workspace)
        if status >= 500:
            self._span.set_status(trace.StatusCode.ERROR)


def sending_to(endpoint: str, version: str) -> Tracing:
    """Traces that go to an OTLP endpoint over HTTP, in batches, from a thread of their own."""
    provider = TracerProvider(resource=Resource.create({"service.name": "stepwell", "service.version": version}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return Tracing(provider, version)
