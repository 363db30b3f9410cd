//! Which of the served media types a client likes best, by its `Accept` headers (RFC 9110, section 12.5.1).

use http::HeaderMap;
use http::header::ACCEPT;

/// A range of media types, and how much the client likes it, in thousandths.
struct Range {
    media_type: String,
    quality: u32,
}

/// The best liked of `served`, each one's value beside it; of those liked alike the one that the client names first, or
/// else that comes first in `served`. `None` when the client accepts none of them; the first when it does not say.
pub(crate) fn choose<T: Copy>(headers: &HeaderMap, served: &[(&str, T)]) -> Option<T> {
    let values = headers.get_all(ACCEPT).iter().map(|value| value.to_str().unwrap_or_default());
    let ranges: Vec<Range> = values.flat_map(|value| value.split(',')).filter_map(Range::parse).collect();
    if ranges.is_empty() {
        return served.first().map(|(_, form)| *form);
    }
    let mut best: Option<(u32, usize, T)> = None;
    for (media_type, form) in served {
        let matching = ranges.iter().enumerate().filter(|(_, range)| range.covers(media_type));
        // The most specific range speaks for a type.
        let Some((place, range)) = matching.max_by_key(|(_, range)| range.specificity()) else { continue };
        let is_better = |(quality, at, _): (u32, usize, T)| {
            range.quality > quality || range.quality == quality && place < at && range.specificity() == 2
        };
        if range.quality > 0 && best.is_none_or(is_better) {
            best = Some((range.quality, place, *form));
        }
    }
    best.map(|(_, _, form)| form)
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().filter(|media_type| !media_type.is_empty())?.to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = quality.map_or(Some(1.0), |text| text.trim().parse::<f64>().ok());
        // One that cannot be read does not count against the type.
        let quality = quality.filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or(1.0);
        Some(Self { media_type, quality: (quality * 1000.0).ceil() as u32 })
    }

    fn covers(&self, media_type: &str) -> bool {
        match self.media_type.split_once('/') {
            Some(("*", "*")) => true,
            Some((kind, "*")) => media_type.split('/').next() == Some(kind),
            _ => self.media_type == media_type,
        }
    }

    fn specificity(&self) -> u8 {
        match self.media_type.split_once('/') {
            Some(("*", _)) => 0,
            Some((_, "*")) => 1,
            _ => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(values: &[&str]) -> Option<char> {
        let headers = values.iter().map(|value| (ACCEPT, value.parse().unwrap())).collect();
        choose(&headers, &[("application/json", 'j'), ("application/x-protobuf", 'p'), ("text/html", 'j')])
    }

    #[test]
    fn the_best_liked_type_is_chosen() {
        for (values, expected) in [
            (&[][..], Some('j')),
            (&[""], Some('j')),
            (&["*/*"], Some('j')),
            (&["application/x-protobuf"], Some('p')),
            (&["application/x-protobuf, application/json"], Some('p')),
            (&["application/json, application/x-protobuf"], Some('j')),
            (&["application/json;q=0.5, application/x-protobuf;q=0.9"], Some('p')),
            (&["application/x-protobuf;q=0.1, application/json"], Some('j')),
            (&["application/json;q=0, */*"], Some('p')),
            (&["application/*;q=0, text/*;q=0.2"], Some('j')),
            (&["application/x-protobuf;q=0.9, */*;q=0.8"], Some('p')),
            (&["text/html,application/xhtml+xml,*/*;q=0.8"], Some('j')),
            (&["image/png", "Application/X-Protobuf; q=0.3"], Some('p')),
            (&["application/x-protobuf;q=many"], Some('p')),
            (&["*/*;q=0"], None),
            (&["image/png"], None),
            (&["json"], None),
        ] {
            assert_eq!(chosen(values), expected, "{values:?}");
        }
    }
}
