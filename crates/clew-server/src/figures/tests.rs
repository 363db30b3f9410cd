use super::*;

#[test]
fn tenants_beyond_the_cap_share_a_label() {
    let figures = Figures::new(2);
    let tenant = |name: &str| Tenant::new(name).unwrap();
    figures.tenant(&tenant("shop")).received.add(1);
    figures.tenant(&tenant("late")).received.add(2);
    figures.tenant(&tenant("later")).received.add(3);
    figures.unknown_tenant().refuse(RefuseReason::BadTenant, 0);
    let labelled = figures.labelled_tenants();
    let received: Vec<_> = labelled.iter().map(|(name, figures)| (name.as_str(), figures.received.get())).collect();
    assert_eq!(received, [("default", 0), ("shop", 1), (OTHER_TENANTS, 5)]);
}

#[test]
fn reasons_keep_their_places() {
    let figures = TenantFigures::default();
    for (count, reason) in RejectReason::ALL.into_iter().enumerate() {
        figures.reject(reason, count as u64);
    }
    for (count, reason) in RefuseReason::ALL.into_iter().enumerate() {
        figures.refuse(reason, count as u64);
    }
    let counts = |counters: &[Counter]| counters.iter().map(Counter::get).collect::<Vec<_>>();
    assert_eq!(counts(&figures.rejected), (0..RejectReason::ALL.len() as u64).collect::<Vec<_>>());
    assert_eq!(counts(&figures.refused_spans), (0..RefuseReason::ALL.len() as u64).collect::<Vec<_>>());
    assert_eq!(counts(&figures.refused_requests), [1; RefuseReason::ALL.len()]);
}
