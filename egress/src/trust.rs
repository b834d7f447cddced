//! Whose certificates are believed.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::EgressError;

/// The system's authorities (Mozilla's list where a machine has none) and the ones given in PEM.
pub(crate) fn client_config(extra_pem: &[Vec<u8>]) -> Result<ClientConfig, EgressError> {
    let setup = |reason: String| EgressError::Setup { reason };
    let mut roots = RootCertStore::empty();
    // Certificates that cannot be read are the system's affair; those that can are enough.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for pem in extra_pem {
        let mut found = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate =
                certificate.map_err(|e| setup(format!("a certificate in PEM: {e}")))?;
            roots
                .add(certificate)
                .map_err(|e| setup(format!("a certificate of an authority: {e}")))?;
            found += 1;
        }
        if found == 0 {
            return Err(setup(
                "a file of authorities holds no certificate in PEM".to_owned(),
            ));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| setup(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_an_error() {
        assert!(client_config(&[]).is_ok());
        let error = client_config(&[b"no certificate".to_vec()]).expect_err("refused");
        assert!(
            error.to_string().contains("no certificate in PEM"),
            "{error}"
        );
    }
}
