use super::*;

#[test]
fn a_good_chain_has_no_findings() {
    assert_eq!(Authority::new().chain().lint(NOW), []);
}

/// KAT-5; HAIP 1.0 §4.5.1.
#[test]
fn an_anchor_inside_is_found() {
    let authority = Authority::new();
    let findings = chain(&[&authority.leaf, &authority.intermediate, &authority.root]).lint(NOW);
    assert_eq!(findings, [ChainFinding::AnchorInside { position: 3, subject: "CN=Root".to_owned() }]);
    assert_eq!(
        findings[0].to_string(),
        r#"certificate 3 "CN=Root" is a trust anchor; HAIP 1.0 §4.5.1 wants it left out"#
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
