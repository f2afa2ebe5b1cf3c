use super::*;

#[test]
fn a_good_chain_has_no_findings() {
    assert_eq!(Authority::new().chain().lint(NOW), []);
}

/// HAI-5; HAIP 1.0 §6.1.1.
#[test]
fn an_anchor_inside_is_found() {
    let authority = Authority::new();
    let findings = chain(&[&authority.leaf, &authority.intermediate, &authority.root]).lint(NOW);
    assert_eq!(findings, [ChainFinding::AnchorInside { position: 3, subject: "CN=Root".to_owned() }]);
    assert_eq!(
        findings[0].to_string(),
        r#"certificate 3 "CN=Root" is a trust anchor; HAIP 1.0 §6.1.1 wants it left out"#
    );
}

#[test]
fn a_self_signed_leaf_is_found() {
    let key = KeyPair::generate().unwrap();
    let chain = chain(&[&params("Self").self_signed(&key).unwrap().der().to_vec()]);
    assert!(chain.is_leaf_self_signed());
    assert_eq!(chain.lint(NOW), [ChainFinding::SelfSignedLeaf { subject: "CN=Self".to_owned() }]);
}

#[test]
fn a_wrong_order_is_found_with_both_names() {
    let authority = Authority::new();
    let findings = chain(&[&authority.intermediate, &authority.leaf]).lint(NOW);
    assert_eq!(
        findings,
        [
            ChainFinding::AuthorityLeaf { subject: "CN=Intermediate".to_owned() },
            ChainFinding::Order { position: 1, expected: "CN=Root".to_owned(), got: "CN=Leaf".to_owned() },
        ]
    );
}

#[test]
fn an_issuer_of_the_right_name_with_another_key_is_found() {
    let findings = chain(&[&Authority::new().leaf, &Authority::new().intermediate]).lint(NOW);
    assert_eq!(findings, [ChainFinding::Signature { position: 1, subject: "CN=Leaf".to_owned() }]);
}

#[test]
fn validity_is_linted_for_each_certificate() {
    let authority = Authority::new();
    let expired = authority.chain().lint(NOT_AFTER + 1);
    assert_eq!(
        expired,
        [
            ChainFinding::Expired { position: 1, subject: "CN=Leaf".to_owned(), not_after: NOT_AFTER },
            ChainFinding::Expired { position: 2, subject: "CN=Intermediate".to_owned(), not_after: NOT_AFTER },
        ]
    );
    assert!(expired[0].to_string().contains("2027"), "{}", expired[0]);
    let early = authority.chain().lint(NOT_BEFORE - 1);
    assert_eq!(early.len(), 2);
    assert!(matches!(early[0], ChainFinding::NotYetValid { position: 1, not_before: NOT_BEFORE, .. }));
}

#[test]
fn the_first_certificate_that_the_clock_rules_out_is_found_alone() {
    let chain = Authority::new().chain();
    assert_eq!((chain.lapse(NOT_BEFORE), chain.lapse(NOT_AFTER)), (None, None));
    assert_eq!(chain.lapse(NOT_AFTER + 1).as_ref(), chain.lint(NOT_AFTER + 1).first());
    assert_eq!(chain.lapse(NOT_BEFORE - 1).as_ref(), chain.lint(NOT_BEFORE - 1).first());
    assert!(chain.lint(NOT_AFTER + 1).iter().all(ChainFinding::is_of_time));
    let anchor_inside = ChainFinding::AnchorInside { position: 3, subject: "CN=Root".to_owned() };
    assert!(!anchor_inside.is_of_time());
    assert_eq!(CertificateChain::default().lapse(NOW), None);
}

#[test]
fn a_chain_ends_with_the_first_of_its_certificates() {
    let authority = Authority::new();
    assert_eq!(authority.chain().not_after(), Some(NOT_AFTER));
    let mut short = params("Leaf");
    short.not_after = date_time_ymd(2026, 7, 1);
    let (_, leaf) = issued(short, &authority.intermediate_issuer);
    let early = chain(&[&leaf, &authority.intermediate]);
    assert_eq!(early.not_after(), early.leaf_not_after());
    assert!(early.not_after() < Some(NOT_AFTER));
    assert_eq!(chain(&[&authority.intermediate, &leaf]).not_after(), early.not_after());
    assert_eq!(CertificateChain::default().not_after(), None);
}
