//! TLS by rustls: whom a connection trusts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::codes;
use crate::{Error, Result};

/// Where systems keep the certificates that they trust.
const SYSTEM_ROOTS: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Whom to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trust {
    /// Whoever answers: the connection is encrypted and nothing more.
    Anyone,
    /// Who has a certificate that one of these roots stands for.
    Signed {
        /// A file with root certificates, `system`, or nothing for the usual file in the home directory.
        roots: Option<String>,
        /// The certificate must also be for the host's name.
        name: bool,
    },
}

/// What makes TLS connections of that kind.
pub(super) fn connector(trust: &Trust) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let lenient = |chain| Arc::new(Lenient { provider: Arc::clone(&provider), chain });
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Anyone => lenient(None),
        Trust::Signed { roots, name } => {
            let verifier = WebPkiServerVerifier::builder_with_provider(
                Arc::new(read(roots.as_deref())?),
                Arc::clone(&provider),
            )
            .build()
            .map_err(|error| unusable("the root certificates cannot be used").with_source(error))?;
            if *name { verifier } else { lenient(Some(verifier)) }
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("TLS cannot be set up").with_source(error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn unusable(what: impl Into<String>) -> Error {
    Error::new(codes::CANNOT_OPEN, what)
}

fn read(named: Option<&str>) -> Result<RootCertStore> {
    let path = match named {
        Some("system") => env::var_os("SSL_CERT_FILE")
            .map(PathBuf::from)
            .or_else(|| SYSTEM_ROOTS.iter().map(PathBuf::from).find(|path| path.exists()))
            .ok_or_else(|| unusable("this system keeps its root certificates where PQL does not look"))?,
        Some(path) => PathBuf::from(path),
        None => {
            let home = env::var_os("HOME").unwrap_or_default();
            let path = Path::new(&home).join(".postgresql").join("root.crt");
            if !path.exists() {
                return Err(unusable("there is nothing to verify the server's certificate with").with_help(format!(
                    "name the root certificate with sslrootcert=FILE (or sslrootcert=system), or put it into {}",
                    path.display()
                )));
            }
            path
        }
    };
    let shown = path.display();
    let bytes = fs::read(&path)
        .map_err(|error| unusable(format!("the root certificate {shown} cannot be read: {error}")))?;
    let mut store = RootCertStore::empty();
    let found = CertificateDer::pem_slice_iter(&bytes).filter_map(std::result::Result::ok);
    let (added, _) = store.add_parsable_certificates(found);
    if added == 0 { Err(unusable(format!("there is no root certificate in {shown}"))) } else { Ok(store) }
}

/// Asks for less than the usual: whoever holds a certificate, or one that the roots stand for whatever its name. The
/// handshake's signatures are checked all the same.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    /// Checks everything but the name; none: every certificate is accepted.
    chain: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(verifier) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match verifier.verify_server_cert(end, chain, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_verified_with_is_said() {
        let signed = |roots: &str| Trust::Signed { roots: Some(roots.to_owned()), name: true };
        for roots in ["/nowhere/root.crt", "Cargo.toml"] {
            let error = connector(&signed(roots)).err().unwrap();
            assert_eq!(error.code(), codes::CANNOT_OPEN);
            assert!(error.message().contains(roots), "{error}");
        }
        assert!(connector(&Trust::Anyone).is_ok());
    }
}
