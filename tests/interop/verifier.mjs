// A verifier made of @sd-jwt/sd-jwt-vc and jose: finds the issuer's key the way SD-JWT VC says, checks the signature and
// every disclosure.

import { digest, ES256 } from '@sd-jwt/crypto-nodejs'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import * as x509 from '@peculiar/x509'
import * as jose from 'jose'

// With an `anchor` the key is that of the certificate in `x5c`, which the anchor issued.
export async function verify(credential, anchor) {
  const [jwt] = credential.split('~')
  const header = jose.decodeProtectedHeader(jwt)
  const { iss } = jose.decodeJwt(jwt)
  const jwk = anchor ? await certifiedKey(header.x5c, anchor) : await issuerKey(iss, header.kid)
  const instance = new SDJwtVcInstance({
    hasher: digest,
    hashAlg: 'sha-256',
    signAlg: 'ES256',
    verifier: await ES256.getVerifier(jwk)
  })
  const { payload } = await instance.verify(credential)
  return { header, payload, signed: jose.decodeJwt(jwt), claims: await instance.getClaims(credential) }
}

async function certifiedKey([leaf, ...others], anchor) {
  if (others.length > 0) throw new Error('more certificates than were uploaded')
  const certificate = new x509.X509Certificate(leaf)
  if (!(await certificate.verify({ publicKey: anchor.publicKey }))) throw new Error('the anchor did not issue the certificate')
  return jose.exportJWK(await certificate.publicKey.export())
}

// SD-JWT VC section 4: the well-known path goes between host and path of `iss`.
async function issuerKey(iss, kid) {
  const url = new URL(iss)
  const metadata = await (await fetch(`${url.origin}/.well-known/jwt-vc-issuer${url.pathname.replace(/\/$/, '')}`)).json()
  if (metadata.issuer !== iss) throw new Error(`jwt-vc-issuer names ${metadata.issuer}, the credential ${iss}`)
  const jwks = metadata.jwks ?? (await (await fetch(metadata.jwks_uri)).json())
  const key = jwks.keys.find((key) => key.kid === kid)
  if (!key) throw new Error(`no key ${kid} at ${metadata.issuer}`)
  return key
}
