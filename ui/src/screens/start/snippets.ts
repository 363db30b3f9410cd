import type { Addresses } from './doors';

/** A text to paste, and where. */
export interface Step {
  told: string;
  code: string;
}

export type Protocol = 'http' | 'grpc';

/** How one language, or program, sends spans. The steps follow docs/integrations. */
export interface Guide {
  id: string;
  told: string;
  /** Whether the reader can choose between HTTP and gRPC. */
  hasProtocols: boolean;
  steps: (addresses: Addresses, protocol: Protocol) => Step[];
  note?: string;
}

function settings({ http, grpc }: Addresses, protocol: Protocol): Step {
  const lines =
    protocol === 'grpc'
      ? [`export OTEL_EXPORTER_OTLP_ENDPOINT=${grpc}`, 'export OTEL_EXPORTER_OTLP_PROTOCOL=grpc']
      : [`export OTEL_EXPORTER_OTLP_ENDPOINT=${http}`, 'export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf'];
  return { told: 'Say where to send', code: [...lines, 'export OTEL_SERVICE_NAME=my-service'].join('\n') };
}

const ONLY_TRACES = 'export OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none';

const python: Guide = {
  id: 'python',
  told: 'Python',
  hasProtocols: true,
  steps: (addresses, protocol) => [
    {
      told: 'Install',
      code: 'pip install opentelemetry-distro opentelemetry-exporter-otlp \\\n    opentelemetry-instrumentation-flask opentelemetry-instrumentation-requests',
    },
    { ...settings(addresses, protocol), code: `${settings(addresses, protocol).code}\n${ONLY_TRACES}` },
    { told: 'Run your program under it', code: 'opentelemetry-instrument python app.py' },
  ],
  note: 'Install one opentelemetry-instrumentation package for each library that you use, such as flask, django, fastapi, requests or psycopg2.',
};

const node: Guide = {
  id: 'node',
  told: 'Node',
  hasProtocols: true,
  steps: (addresses, protocol) => [
    { told: 'Install', code: 'npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node' },
    { ...settings(addresses, protocol), code: `${settings(addresses, protocol).code}\n${ONLY_TRACES}` },
    { told: 'Run your program under it', code: 'node --require @opentelemetry/auto-instrumentations-node/register app.js' },
  ],
};

const java: Guide = {
  id: 'java',
  told: 'Java',
  hasProtocols: true,
  steps: (addresses, protocol) => [
    {
      told: 'Fetch the agent',
      code: 'curl -LO https://github.com/open-telemetry/opentelemetry-java-instrumentation/releases/download/v2.33.1/opentelemetry-javaagent.jar',
    },
    { ...settings(addresses, protocol), code: `${settings(addresses, protocol).code}\n${ONLY_TRACES}` },
    { told: 'Run your program under it', code: 'java -javaagent:opentelemetry-javaagent.jar -jar app.jar' },
  ],
};

const go: Guide = {
  id: 'go',
  told: 'Go',
  hasProtocols: true,
  steps: (addresses, protocol) => {
    const exporter = protocol === 'grpc' ? 'otlptracegrpc' : 'otlptracehttp';
    return [
      {
        told: 'Install',
        code: `go get go.opentelemetry.io/otel go.opentelemetry.io/otel/sdk \\\n    go.opentelemetry.io/otel/exporters/otlp/otlptrace/${exporter} \\\n    go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp`,
      },
      {
        told: 'Call it once in main; wrap handlers with otelhttp.NewHandler, clients with otelhttp.NewTransport',
        code: `package telemetry

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/${exporter}"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
)

// Start makes all spans of the process leave by OTLP.
func Start(ctx context.Context) (*trace.TracerProvider, error) {
	exporter, err := ${exporter}.New(ctx)
	if err != nil {
		return nil, err
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return provider, nil
}`,
      },
      settings(addresses, protocol),
    ];
  },
};

const rust: Guide = {
  id: 'rust',
  told: 'Rust',
  hasProtocols: true,
  steps: (addresses, protocol) => [
    {
      told: 'Install',
      code: `cargo add opentelemetry opentelemetry_sdk\ncargo add opentelemetry-otlp${protocol === 'grpc' ? ' --features grpc-tonic' : ''}`,
    },
    {
      told: 'Call it once in main, inside of the runtime, and keep what it gives',
      code: `use opentelemetry::global;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;

/// Makes all spans of the process leave by OTLP.
pub fn start() -> SdkTracerProvider {
    let exporter = SpanExporter::builder().build().expect("the settings of OTLP are right");
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    global::set_tracer_provider(provider.clone());
    global::set_text_map_propagator(TraceContextPropagator::new());
    provider
}`,
    },
    settings(addresses, protocol),
  ],
};

const dotnet: Guide = {
  id: 'dotnet',
  told: '.NET',
  hasProtocols: true,
  steps: (addresses, protocol) => [
    {
      told: 'Install',
      code: [
        'OpenTelemetry.Extensions.Hosting',
        'OpenTelemetry.Exporter.OpenTelemetryProtocol',
        'OpenTelemetry.Instrumentation.AspNetCore',
        'OpenTelemetry.Instrumentation.Http',
      ]
        .map((name) => `dotnet add package ${name}`)
        .join('\n'),
    },
    {
      told: 'In Program.cs, before builder.Build()',
      code: `using OpenTelemetry.Trace;

builder.Services.AddOpenTelemetry().WithTracing(tracing => tracing
    .AddAspNetCoreInstrumentation()
    .AddHttpClientInstrumentation()
    .AddOtlpExporter());`,
    },
    settings(addresses, protocol),
  ],
};

const collector: Guide = {
  id: 'collector',
  told: 'Collector',
  hasProtocols: true,
  steps: ({ http, grpc }, protocol) => [
    {
      told: 'In its configuration',
      code:
        protocol === 'grpc'
          ? `exporters:
  otlp/clew:
    endpoint: ${grpc.replace(/^http:\/\//, '')}
    tls:
      insecure: true

service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [otlp/clew]`
          : `exporters:
  otlphttp/clew:
    endpoint: ${http}

service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [otlphttp/clew]`,
    },
  ],
  note: 'Keep the receivers and the other exporters that you have.',
};

/** A span of this very second in OTLP/JSON. */
function curl(traceId: string, spanId: string): Guide {
  return {
    id: 'curl',
    told: 'curl',
    hasProtocols: false,
    steps: ({ http }) => [
      {
        told: 'One span, of now, in OTLP/JSON',
        code: `curl -sS -X POST ${http}/v1/traces -H 'Content-Type: application/json' -d '{
  "resourceSpans": [{
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "my-service"}}]},
    "scopeSpans": [{"spans": [{
      "traceId": "${traceId}", "spanId": "${spanId}",
      "name": "hello clew", "kind": 2,
      "startTimeUnixNano": "'$(date +%s)'000000000",
      "endTimeUnixNano": "'$(date +%s)'250000000"
    }]}]
  }]
}'`,
      },
    ],
  };
}

/** All guides; the ids are for the span that curl sends. */
export function guides(traceId: string, spanId: string): Guide[] {
  return [python, node, java, go, rust, dotnet, collector, curl(traceId, spanId)];
}

/** Ids that no other span has. */
export function drawIds(): { traceId: string; spanId: string } {
  const hex = (length: number) =>
    Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { traceId: hex(16), spanId: hex(8) };
}
