import{F as e,I as t,R as n,S as r,T as i,_ as a,b as o,d as s,h as c,i as l,m as u,n as d,o as f,r as p,v as m,w as h}from"./count-CM3JQMcw.js";import{n as g}from"./index-CzVC0bW6.js";import{t as _}from"./hints-6YdDAilq.js";function v({label:t,tabs:r,chosen:i,choose:a,children:o}){let s=e(null);return u(n,{children:[u(`div`,{class:`tab-list`,role:`tablist`,"aria-label":t,ref:s,onKeyDown:e=>{let t=r.findIndex(e=>e.id===i),n={ArrowRight:t+1,ArrowLeft:t-1,Home:0,End:r.length-1}[e.key];n!==void 0&&(e.preventDefault(),a(r[(n+r.length)%r.length].id),s.current?.querySelectorAll(`[role=tab]`)[(n+r.length)%r.length]?.focus())},children:r.map(({id:e,told:t})=>u(`button`,{id:`tab-${e}`,role:`tab`,"aria-selected":e===i,"aria-controls":`tab-panel`,tabIndex:e===i?0:-1,onClick:()=>a(e),children:t},e))}),u(`div`,{id:`tab-panel`,role:`tabpanel`,"aria-labelledby":`tab-${i}`,children:o})]})}function y(e,t){let n=e.origin+e.pathname.replace(/[^/]*$/,``).replace(/\/$/,``),r=t.map(({address:e,purpose:t})=>({...b(e),purpose:t})),i=r.find(e=>e.port===`4317`)??r.find(e=>e.purpose===`otlp`)??r[0];return i?{http:n,grpc:`http://${[`0.0.0.0`,`[::]`,`127.0.0.1`,`[::1]`,`localhost`,``].includes(i.host)?e.hostname:i.host}:${i.port}`}:{http:n,grpc:e.origin}}function b(e){let t=e.replace(/^[a-z]+:\/\//,``).replace(/\/.*$/,``),n=t.lastIndexOf(`:`);return n<0?{host:t,port:`4317`}:{host:t.slice(0,n),port:t.slice(n+1)}}function x({figures:e,problem:t,isFound:r}){return u(`section`,{class:`lamps`,"aria-label":`How far spans have come`,children:[u(`h2`,{children:`How far spans have come`}),u(`ol`,{children:S(e,t,r).map(e=>u(`li`,{class:`lamp ${e.state}`,children:[u(`span`,{class:`lamp-light`,"aria-hidden":`true`,children:e.state===`failed`?`✕`:e.state===`on`?`✓`:``}),u(`span`,{children:[e.told,u(`span`,{class:`visually-hidden`,children:e.state===`on`?`: yes`:e.state===`failed`?`: no`:`: not yet`})]}),u(`span`,{class:`muted foreign`,children:e.detail})]},e.told))}),e&&e.hints.length>0&&u(n,{children:[u(`h2`,{children:`Seen, and how to mend it`}),u(_,{hints:e.hints,now:e.now})]})]})}function S(e,t,n){let r=e=>e?`on`:`off`,i=e?.spans.received??0,a=(e?.spans.tenants??[]).reduce((e,t)=>e+t.refused.reduce((e,{requests:t})=>e+t,0),0),o=(e?.spans.requests??0)>0||i>0||a>0||(e?.hints.length??0)>0,c=e?.spans.lastReceived;return[t?{told:`Server reachable`,detail:t.message,state:`failed`}:{told:`Server reachable`,detail:e?`clew ${e.version}`:``,state:r(e!==null)},{told:`Sender seen`,detail:o?a?`${p(a,`request`)} refused`:``:`no request yet`,state:r(o)},{told:`Spans received`,detail:i?`${d(i)}${c?`, the last ${f(s(c),s(e.now))}`:``}`:`none since the server started`,state:r(i>0)},{told:`Stored and found`,detail:n===!1?`a search finds nothing yet`:``,state:r(n===!0)}]}function C({http:e,grpc:t},n){return{told:`Say where to send`,code:[...n===`grpc`?[`export OTEL_EXPORTER_OTLP_ENDPOINT=${t}`,`export OTEL_EXPORTER_OTLP_PROTOCOL=grpc`]:[`export OTEL_EXPORTER_OTLP_ENDPOINT=${e}`,`export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`],`export OTEL_SERVICE_NAME=my-service`].join(`
`)}}var w=`export OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none`,T={id:`python`,told:`Python`,hasProtocols:!0,steps:(e,t)=>[{told:`Install`,code:`pip install opentelemetry-distro opentelemetry-exporter-otlp \\
    opentelemetry-instrumentation-flask opentelemetry-instrumentation-requests`},{...C(e,t),code:`${C(e,t).code}\n${w}`},{told:`Run your program under it`,code:`opentelemetry-instrument python app.py`}],note:`Install one opentelemetry-instrumentation package for each library that you use, such as flask, django, fastapi, requests or psycopg2.`},E={id:`node`,told:`Node`,hasProtocols:!0,steps:(e,t)=>[{told:`Install`,code:`npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node`},{...C(e,t),code:`${C(e,t).code}\n${w}`},{told:`Run your program under it`,code:`node --require @opentelemetry/auto-instrumentations-node/register app.js`}]},D={id:`java`,told:`Java`,hasProtocols:!0,steps:(e,t)=>[{told:`Fetch the agent`,code:`curl -LO https://github.com/open-telemetry/opentelemetry-java-instrumentation/releases/download/v2.33.1/opentelemetry-javaagent.jar`},{...C(e,t),code:`${C(e,t).code}\n${w}`},{told:`Run your program under it`,code:`java -javaagent:opentelemetry-javaagent.jar -jar app.jar`}]},O={id:`go`,told:`Go`,hasProtocols:!0,steps:(e,t)=>{let n=t===`grpc`?`otlptracegrpc`:`otlptracehttp`;return[{told:`Install`,code:`go get go.opentelemetry.io/otel go.opentelemetry.io/otel/sdk \\\n    go.opentelemetry.io/otel/exporters/otlp/otlptrace/${n} \\\n    go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp`},{told:`Call it once in main; wrap handlers with otelhttp.NewHandler, clients with otelhttp.NewTransport`,code:`package telemetry

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/${n}"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
)

// Start makes all spans of the process leave by OTLP.
func Start(ctx context.Context) (*trace.TracerProvider, error) {
	exporter, err := ${n}.New(ctx)
	if err != nil {
		return nil, err
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return provider, nil
}`},C(e,t)]}},k={id:`rust`,told:`Rust`,hasProtocols:!0,steps:(e,t)=>[{told:`Install`,code:`cargo add opentelemetry opentelemetry_sdk\ncargo add opentelemetry-otlp${t===`grpc`?` --features grpc-tonic`:``}`},{told:`Call it once in main, inside of the runtime, and keep what it gives`,code:`use opentelemetry::global;
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
}`},C(e,t)]},A={id:`dotnet`,told:`.NET`,hasProtocols:!0,steps:(e,t)=>[{told:`Install`,code:[`OpenTelemetry.Extensions.Hosting`,`OpenTelemetry.Exporter.OpenTelemetryProtocol`,`OpenTelemetry.Instrumentation.AspNetCore`,`OpenTelemetry.Instrumentation.Http`].map(e=>`dotnet add package ${e}`).join(`
`)},{told:`In Program.cs, before builder.Build()`,code:`using OpenTelemetry.Trace;

builder.Services.AddOpenTelemetry().WithTracing(tracing => tracing
    .AddAspNetCoreInstrumentation()
    .AddHttpClientInstrumentation()
    .AddOtlpExporter());`},C(e,t)]},j={id:`collector`,told:`Collector`,hasProtocols:!0,steps:({http:e,grpc:t},n)=>[{told:`In its configuration`,code:n===`grpc`?`exporters:
  otlp/clew:
    endpoint: ${t.replace(/^http:\/\//,``)}
    tls:
      insecure: true

service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [otlp/clew]`:`exporters:
  otlphttp/clew:
    endpoint: ${e}

service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [otlphttp/clew]`}],note:`Keep the receivers and the other exporters that you have.`};function M(e,t){return{id:`curl`,told:`curl`,hasProtocols:!1,steps:({http:n})=>[{told:`One span, of now, in OTLP/JSON`,code:`curl -sS -X POST ${n}/v1/traces -H 'Content-Type: application/json' -d '{
  "resourceSpans": [{
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "my-service"}}]},
    "scopeSpans": [{"spans": [{
      "traceId": "${e}", "spanId": "${t}",
      "name": "hello clew", "kind": 2,
      "startTimeUnixNano": "'$(date +%s)'000000000",
      "endTimeUnixNano": "'$(date +%s)'250000000"
    }]}]
  }]
}'`}]}}function N(e,t){return[T,E,D,O,k,A,j,M(e,t)]}function P(){let e=e=>Array.from(crypto.getRandomValues(new Uint8Array(e)),e=>e.toString(16).padStart(2,`0`)).join(``);return{traceId:e(16),spanId:e(8)}}var F=1e3,I={seed:1,count:120};function L(n,r){let[i,s]=t(null),[l,u]=t(null),[d,f]=t(void 0),p=e(n?!0:null);return a(F,async e=>{try{let t=await o(`v1/figures`,void 0,{signal:e});s(t),u(null);let n=B(t),i=await V(n,e);f(i),p.current??=i===null,i&&p.current&&r(i,n)}catch(t){e.aborted||u(c(t))}}),{figures:i,problem:l,newest:d}}function R({isHome:e=!1,leave:r}){let[a,s]=t(!1),[d,f]=t(null),p=(e,t)=>{r?.(),h(`t/${e}`,new URLSearchParams(t?{tenant:t}:{}))},{figures:g,problem:_,newest:v}=L(e,(e,t)=>a||p(e,t)),y=async()=>{s(!0),f(null);try{let e=await o(`v1/demo`,m(),{method:`POST`,headers:{"Content-Type":`application/json`},body:JSON.stringify(I)}),t=e.examples?.[0]?.traceId??e.firstTraceId;t&&p(t,null)}catch(e){f(c(e))}s(!1)};return u(`div`,{class:`start`,children:[u(`header`,{children:[u(`h1`,{children:v===null||e?`No spans yet. Send some`:`Send spans`}),u(`p`,{class:`muted`,children:v&&!e?u(n,{children:[`Spans are here: `,u(`a`,{href:i(`t/${v}`),children:`see the newest trace`}),` or `,u(`a`,{href:i(``),children:`all of them`}),`.`]}):`This page turns into your first trace as soon as it is here.`})]}),u(`div`,{class:`start-columns`,children:[u(z,{figures:g}),u(`div`,{class:`start-aside`,children:[u(`section`,{class:`demo`,children:[u(`h2`,{children:`Or look around first`}),u(`p`,{class:`muted`,children:[`A simulated shop sends `,I.count,` traces, with a slow query, a declined card, an N+1 and a clock that is ahead planted in them. They are stored as yours would be.`]}),u(`button`,{class:`primary`,onClick:()=>void y(),disabled:a,children:a?`Sending`:`Send the demo’s traces`}),d&&u(l,{problem:d}),u(`p`,{class:`muted`,children:[`Or `,u(`a`,{href:i(`view`),children:`view a file`}),` of OTLP, Jaeger or Zipkin without storing it.`]})]}),u(x,{figures:g,problem:_,isFound:v===void 0?null:v!==null})]})]})]})}function z({figures:e}){let[r]=t(P),[i,a]=t(`http`),[o,s]=t(`python`),c=N(r.traceId,r.spanId),l=c.find(e=>e.id===o),d=y(new URL(document.baseURI),e?.doors??[]);return u(`section`,{class:`start-guides`,"aria-label":`How to send spans`,children:u(v,{label:`Languages`,tabs:c,chosen:o,choose:s,children:[u(`div`,{class:`protocols`,role:`group`,"aria-label":`Protocol`,children:[l.hasProtocols&&u(n,{children:[u(`button`,{"aria-pressed":i===`http`,onClick:()=>a(`http`),children:`HTTP`}),u(`button`,{"aria-pressed":i===`grpc`,onClick:()=>a(`grpc`),children:`gRPC`})]}),u(`span`,{class:`muted`,children:[`to `,u(`code`,{class:`mono`,children:l.hasProtocols&&i===`grpc`?d.grpc:d.http})]})]}),u(`ol`,{class:`steps`,children:l.steps(d,i).map(e=>u(`li`,{children:[u(`p`,{children:e.told}),u(`div`,{class:`code`,children:[u(`pre`,{class:`mono`,tabIndex:0,"aria-label":e.told,children:e.code}),u(g,{text:e.code,what:e.told})]})]},e.told))}),l.note&&u(`p`,{class:`muted`,children:l.note}),u(`p`,{class:`muted`,children:`Every port of clew takes OTLP over gRPC and HTTP alike. SDKs send in batches, by default every five seconds.`})]})})}function B(e){if(r.value.params.has(`tenant`))return null;let t=e.spans.tenants.filter(e=>e.received>0);return t.length>0&&!t.some(e=>e.tenant==="default")?t[0].tenant:null}async function V(e,t){let n=new URLSearchParams({limit:`1`,total:`none`,...e&&{tenant:e}});return(await o(`v1/traces/search`,m(n),{signal:t})).traces[0]?.traceId??null}export{R as Start};