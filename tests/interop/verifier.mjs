// A verifier made of @sd-jwt/sd-jwt-vc and jose: finds the issuer's key the way SD-JWT VC says, checks the signature and
// every disclosure.

import { digest, ES256 } from '@sd-jwt/crypto-nodejs'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import * as jose from 'jose'

export async function verify(credential) {
  const [jwt] = credential.split('~')
  const header = jose.decodeProtectedHeader(jwt)
  const { iss } = jose.decodeJwt(jwt)
  const jwk = await issuerKey(iss, header.kid)
  const instance = new SDJwtVcInstance({
    hasher: digest,
    hashAlg: 'sha-256',
    signAlg: 'ES256',
    verifier: await ES256.getVerifier(jwk)
  })
  const { payload } = await instance.verify(credential)
  return { header, payload, signed: jose.decodeJwt(jwt), claims: await instance.getClaims(credential) }
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
