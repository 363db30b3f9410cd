//! What shoppers do, and what happens behind it.

use clew_model::{Attribute, Kind};

use super::fleet::Service;
use super::tracer::{Failure, Reply, Tracer};
use crate::seed::Seed;

const CATALOG: &str = "oteldemo.ProductCatalogService";
const CART: &str = "oteldemo.CartService";
const PRODUCTS: [&str; 6] = ["OLJCESPC7Z", "66VCHSJNUP", "1YMWWN1N4O", "L9ECAV7KIM", "2ZYFJ3GM2N", "0PUK6V6EV0"];
const CURRENCIES: [&str; 4] = ["USD", "EUR", "CHF", "JPY"];
const CARDS: [&str; 3] = ["visa", "mastercard", "amex"];
const BY_ID: &str = "SELECT id, name, price_units, price_nanos FROM products WHERE id = $1";

/// What a trace of the shop is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Story {
    /// A look at the home page.
    Browse,
    /// A look at a product.
    Product,
    /// A product goes into the cart.
    AddToCart,
    /// A picture is loaded.
    Picture,
    /// An order.
    Checkout,
    /// An order whose card is declined: an error with an exception, from `payment` up to the shopper.
    Declined,
    /// A search whose `SELECT` has no index.
    SlowQuery,
    /// A look at a full cart: one `SELECT` per product.
    RepeatedQuery,
    /// An order during which `checkout` waits and no span says for what.
    Gap,
}

impl Story {
    /// What the `visit`th visit is about: each planted story once in twelve visits, all else by chance.
    pub(super) fn of_visit(visit: u64, seed: &mut Seed) -> Self {
        let chance = seed.below(100);
        match visit % 12 {
            1 => Self::Checkout,
            3 => Self::RepeatedQuery,
            5 => Self::SlowQuery,
            7 => Self::Declined,
            10 => Self::Gap,
            _ => match chance {
                0..=34 => Self::Browse,
                35..=64 => Self::Product,
                65..=79 => Self::AddToCart,
                80..=91 => Self::Picture,
                _ => Self::Checkout,
            },
        }
    }

    /// Writes the trace.
    pub(super) fn tell(self, t: &mut Tracer<'_>) {
        let (method, route) = match self {
            Self::Browse => ("GET", "/"),
            Self::Product => ("GET", "/api/products/{productId}"),
            Self::AddToCart => ("POST", "/api/cart"),
            Self::Picture => ("GET", "/images/{file}"),
            Self::Checkout | Self::Declined | Self::Gap => ("POST", "/api/checkout"),
            Self::SlowQuery => ("GET", "/api/products/search"),
            Self::RepeatedQuery => ("GET", "/api/cart"),
        };
        // The shopper's own span carries a failure; above it nobody listens.
        let _ = t.span(Service::LoadGenerator, Kind::Internal, &format!("user {}", self.user_step()), |t| {
            let session = format!("{:016x}", t.seed.next_u64());
            t.set("session.id", session);
            t.work(300);
            t.http(Service::FrontendProxy, method, route, |t| {
                if self == Self::Picture {
                    return t.http(Service::ImageProvider, method, route, picture);
                }
                t.http(Service::Frontend, method, route, |t| self.page(t))
            })
        });
    }

    fn user_step(self) -> &'static str {
        match self {
            Self::Browse => "opens the shop",
            Self::Product => "views a product",
            Self::AddToCart => "adds to cart",
            Self::Picture => "loads a picture",
            Self::Checkout | Self::Declined | Self::Gap => "checks out",
            Self::SlowQuery => "searches",
            Self::RepeatedQuery => "views the cart",
        }
    }

    fn page(self, t: &mut Tracer<'_>) -> Reply {
        t.work(700);
        match self {
            Self::Browse | Self::Picture => home(t),
            Self::Product => product_page(t),
            Self::AddToCart => add_to_cart(t),
            Self::SlowQuery => search(t),
            Self::RepeatedQuery => cart_page(t),
            Self::Checkout | Self::Declined | Self::Gap => {
                t.grpc(Service::Checkout, "oteldemo.CheckoutService", "PlaceOrder", |t| self.place_order(t))
            }
        }?;
        t.work(900);
        Ok(())
    }

    fn place_order(self, t: &mut Tracer<'_>) -> Reply {
        let currency = *t.seed.pick(&CURRENCIES);
        let amount = t.seed.between(20, 2_000) as i64;
        t.set("app.user.currency", currency);
        t.set("app.order.amount", amount);
        t.span(Service::Checkout, Kind::Internal, "prepareOrderItemsAndShippingQuoteFromCart", |t| prepare_order(t))?;
        t.event("prepared", Vec::new());
        if self == Self::Gap {
            t.work(75_000);
        }
        t.grpc(Service::Payment, "oteldemo.PaymentService", "Charge", |t| charge(t, self == Self::Declined, amount))?;
        let transaction_id = transaction_id(&mut t.seed);
        t.event("charged", vec![Attribute::new("app.payment.transaction.id", transaction_id)]);
        t.http(Service::Shipping, "POST", "/ship-order", |t| {
            t.work(900);
            let tracking_id = format!("{:016x}", t.seed.next_u64());
            t.set("app.shipping.tracking.id", tracking_id);
            Ok(())
        })?;
        t.grpc(Service::Cart, CART, "EmptyCart", |t| t.valkey("HMSET", 500))?;
        t.http(Service::Email, "POST", "/send_order_confirmation", send_mail)?;
        let message = t.publish("orders");
        t.later(6_000, |t| t.consume(Service::Accounting, "orders", message, account));
        t.later(9_000, |t| t.consume(Service::FraudDetection, "orders", message, |t| detect_fraud(t, amount)));
        t.work(300);
        Ok(())
    }
}

fn home(t: &mut Tracer<'_>) -> Reply {
    t.together(
        |t| {
            t.grpc(Service::Recommendation, "oteldemo.RecommendationService", "ListRecommendations", |t| {
                t.work(800);
                t.grpc(Service::ProductCatalog, CATALOG, "ListProducts", |t| {
                    t.select("products", "SELECT id, name, picture, price_units FROM products ORDER BY id", 2_100)
                })?;
                t.set("app.products_recommended.count", 5_i64);
                t.work(600);
                Ok(())
            })
        },
        |t| advertise(t, "telescopes"),
    )
}

fn product_page(t: &mut Tracer<'_>) -> Reply {
    let product = *t.seed.pick(&PRODUCTS);
    t.set("app.product.id", product);
    get_product(t, product)?;
    t.together(|t| convert(t, "EUR"), |t| advertise(t, "binoculars"))?;
    t.grpc(Service::ProductReviews, "oteldemo.ProductReviewService", "GetProductReviews", |t| {
        t.set("app.product.id", product);
        t.select("reviews", "SELECT score, body FROM reviews WHERE product_id = $1 LIMIT 10", 1_300)
    })
}

fn add_to_cart(t: &mut Tracer<'_>) -> Reply {
    let product = *t.seed.pick(&PRODUCTS);
    get_product(t, product)?;
    t.grpc(Service::Cart, CART, "AddItem", |t| {
        t.set("app.product.id", product);
        let quantity = t.seed.between(1, 5) as i64;
        t.set("app.product.quantity", quantity);
        t.event("Fetch cart", Vec::new());
        t.valkey("HGET", 420)?;
        t.valkey("HMSET", 500)?;
        t.valkey("EXPIRE", 300)
    })
}

/// Planted: the filter cannot use an index.
fn search(t: &mut Tracer<'_>) -> Reply {
    t.set("app.search.query", "nebula filter");
    t.grpc(Service::ProductCatalog, CATALOG, "SearchProducts", |t| {
        t.work(400);
        let statement = "SELECT id, name, description FROM products WHERE lower(description) LIKE '%' || $1 || '%'";
        t.select("products", statement, 1_250_000)?;
        t.set("app.products_search.count", 3_i64);
        t.work(500);
        Ok(())
    })
}

/// Planted: one query per product instead of one for all.
fn cart_page(t: &mut Tracer<'_>) -> Reply {
    t.grpc(Service::Cart, CART, "GetCart", |t| t.valkey("HGET", 450))?;
    let count = t.seed.between(12, 24);
    t.grpc(Service::ProductCatalog, CATALOG, "GetProducts", |t| {
        t.set("app.products.count", count as i64);
        for _ in 0..count {
            t.work(90);
            t.select("products", BY_ID, 2_600)?;
        }
        Ok(())
    })?;
    convert(t, "USD")
}

fn prepare_order(t: &mut Tracer<'_>) -> Reply {
    t.grpc(Service::Cart, CART, "GetCart", |t| t.valkey("HGET", 450))?;
    for _ in 0..t.seed.between(1, 3) {
        let product = *t.seed.pick(&PRODUCTS);
        get_product(t, product)?;
        convert(t, "USD")?;
    }
    t.http(Service::Shipping, "POST", "/get-quote", |t| {
        t.work(400);
        t.http(Service::Quote, "POST", "/getquote", |t| {
            t.work(700);
            t.span(Service::Quote, Kind::Internal, "calculate-quote", |t| {
                t.event("Calculating quote", Vec::new());
                t.work(2_300);
                t.set("app.quote.cost.total", 89.6);
                Ok(())
            })
        })
    })?;
    convert(t, "USD")
}

fn charge(t: &mut Tracer<'_>, declined: bool, amount: i64) -> Reply {
    let card = *t.seed.pick(&CARDS);
    t.set("app.payment.amount", amount);
    t.span(Service::Payment, Kind::Internal, "charge", |t| {
        t.set("app.payment.card_type", card);
        t.set("app.payment.charged", !declined);
        t.work(38_000);
        if !declined {
            return Ok(());
        }
        let message = format!("card declined by issuer: insufficient funds ({card})");
        let stack =
            "    at charge (/usr/src/app/charge.js:58:11)\n    at chargeServiceHandler (/usr/src/app/index.js:21:28)";
        t.throw(Failure { exception: "PaymentDeclinedError", message, grpc_code: 9 }, stack)
    })
}

fn send_mail(t: &mut Tracer<'_>) -> Reply {
    t.span(Service::Email, Kind::Internal, "send_email", |t| {
        t.set("app.email.recipient.count", 1_i64);
        t.work(6_500);
        Ok(())
    })
}

fn account(t: &mut Tracer<'_>) -> Reply {
    t.work(1_200);
    t.select("orders", "INSERT INTO orders (id, user_id, amount) VALUES ($1, $2, $3)", 3_800)?;
    t.select("order_items", "INSERT INTO order_items (order_id, product_id, quantity) VALUES ($1, $2, $3)", 3_100)
}

#[expect(clippy::unnecessary_wraps, reason = "work in a span replies")]
fn detect_fraud(t: &mut Tracer<'_>, amount: i64) -> Reply {
    t.set("app.order.amount", amount);
    t.work(22_000);
    t.set("app.fraud.score", 0.07);
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "work in a span replies")]
fn picture(t: &mut Tracer<'_>) -> Reply {
    t.set("http.response.body.size", 184_320_i64);
    t.work(2_200);
    Ok(())
}

fn get_product(t: &mut Tracer<'_>, product: &str) -> Reply {
    t.grpc(Service::ProductCatalog, CATALOG, "GetProduct", |t| {
        t.set("app.product.id", product);
        t.select("products", BY_ID, 1_100)
    })
}

fn convert(t: &mut Tracer<'_>, to: &str) -> Reply {
    t.grpc(Service::Currency, "oteldemo.CurrencyService", "Convert", |t| {
        t.set("app.currency.conversion.from", "USD");
        t.set("app.currency.conversion.to", to);
        t.work(260);
        Ok(())
    })
}

fn advertise(t: &mut Tracer<'_>, category: &str) -> Reply {
    t.grpc(Service::Ad, "oteldemo.AdService", "GetAds", |t| {
        t.set("app.ads.category", category);
        t.work(1_900);
        t.set("app.ads.count", 2_i64);
        Ok(())
    })
}

fn transaction_id(seed: &mut Seed) -> String {
    let [a, b, c, d, rest @ ..] = seed.bytes::<8>();
    format!("{a:02x}{b:02x}{c:02x}{d:02x}-{:08x}", u32::from_le_bytes(rest))
}
