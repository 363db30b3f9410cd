//! The shop's services and the resources they send.

use std::sync::Arc;

use clew_model::{Attribute, Resource, Scope, Value};

use crate::seed::Seed;

/// How far the clock of the host that runs `quote` is ahead.
pub const QUOTE_CLOCK_AHEAD_NANOS: u64 = 180_000_000;

/// A service of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is explained by its name")]
pub enum Service {
    LoadGenerator,
    FrontendProxy,
    Frontend,
    Checkout,
    Cart,
    Payment,
    Shipping,
    Quote,
    Currency,
    ProductCatalog,
    Recommendation,
    Ad,
    Email,
    Accounting,
    FraudDetection,
    ImageProvider,
    ProductReviews,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::LoadGenerator,
        Self::FrontendProxy,
        Self::Frontend,
        Self::Checkout,
        Self::Cart,
        Self::Payment,
        Self::Shipping,
        Self::Quote,
        Self::Currency,
        Self::ProductCatalog,
        Self::Recommendation,
        Self::Ad,
        Self::Email,
        Self::Accounting,
        Self::FraudDetection,
        Self::ImageProvider,
        Self::ProductReviews,
    ];

    /// `service.name`.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// The port it listens on.
    pub(super) fn port(self) -> i64 {
        self.facts().2
    }

    /// How far its clock is ahead.
    pub(super) fn clock_ahead_nanos(self) -> u64 {
        if self == Self::Quote { QUOTE_CLOCK_AHEAD_NANOS } else { 0 }
    }

    /// Name, `telemetry.sdk.language`, port, instrumentation.
    fn facts(self) -> (&'static str, &'static str, i64, &'static str) {
        match self {
            Self::LoadGenerator => ("load-generator", "python", 8089, "opentelemetry.instrumentation.urllib3"),
            Self::FrontendProxy => ("frontend-proxy", "cpp", 8080, "envoy"),
            Self::Frontend => ("frontend", "nodejs", 8080, "@opentelemetry/instrumentation-http"),
            Self::Checkout => ("checkout", "go", 5050, "go.opentelemetry.io/contrib/instrumentation/otelgrpc"),
            Self::Cart => ("cart", "dotnet", 7070, "Microsoft.AspNetCore"),
            Self::Payment => ("payment", "nodejs", 50051, "@opentelemetry/instrumentation-grpc"),
            Self::Shipping => ("shipping", "rust", 50050, "shipping"),
            Self::Quote => ("quote", "php", 8090, "io.opentelemetry.contrib.php.slim"),
            Self::Currency => ("currency", "cpp", 7001, "currency"),
            Self::ProductCatalog => {
                ("product-catalog", "go", 3550, "go.opentelemetry.io/contrib/instrumentation/otelgrpc")
            }
            Self::Recommendation => ("recommendation", "python", 9001, "opentelemetry.instrumentation.grpc"),
            Self::Ad => ("ad", "java", 9555, "io.opentelemetry.grpc-1.6"),
            Self::Email => ("email", "ruby", 6060, "OpenTelemetry::Instrumentation::Sinatra"),
            Self::Accounting => ("accounting", "dotnet", 0, "Accounting.Consumer"),
            Self::FraudDetection => ("fraud-detection", "java", 0, "io.opentelemetry.kafka-clients-2.6"),
            Self::ImageProvider => ("image-provider", "cpp", 8081, "nginx"),
            Self::ProductReviews => ("product-reviews", "python", 3551, "opentelemetry.instrumentation.grpc"),
        }
    }
}

/// One running copy of each service.
#[derive(Debug)]
pub(super) struct Fleet {
    members: Vec<(Arc<Resource>, Arc<Scope>)>,
}

impl Fleet {
    pub(super) fn new(seed: &mut Seed) -> Self {
        Self { members: Service::ALL.iter().map(|service| member(*service, seed)).collect() }
    }

    pub(super) fn member(&self, service: Service) -> (Arc<Resource>, Arc<Scope>) {
        self.members[service as usize].clone()
    }
}

fn member(service: Service, seed: &mut Seed) -> (Arc<Resource>, Arc<Scope>) {
    let (name, language, _, instrumentation) = service.facts();
    let suffix = format!("{:010x}", seed.below(1 << 40));
    let host = if service == Service::Quote { "node-3".to_owned() } else { format!("node-{}", seed.between(1, 2)) };
    let text = |key: &str, value: String| Attribute { key: key.to_owned(), value: Value::String(value) };
    let attributes = vec![
        text("service.name", name.to_owned()),
        text("service.namespace", "astronomy-shop".to_owned()),
        text("service.version", "2.1.3".to_owned()),
        text("service.instance.id", format!("{name}-{suffix}")),
        text("deployment.environment.name", "demo".to_owned()),
        text("host.name", host),
        text("k8s.pod.name", format!("{name}-{suffix}")),
        text("telemetry.sdk.name", "opentelemetry".to_owned()),
        text("telemetry.sdk.language", language.to_owned()),
        text("telemetry.sdk.version", "1.38.0".to_owned()),
    ];
    let scope = Scope { name: instrumentation.to_owned(), version: "0.63.0".to_owned(), ..Scope::default() };
    (Arc::new(Resource { attributes, ..Resource::default() }), Arc::new(scope))
}
