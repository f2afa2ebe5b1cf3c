// Encrypted requests and answers (OpenID4VCI section 10) of a wallet whose library leaves them to its caller.

import assert from 'node:assert/strict'
import * as jose from 'jose'

// `fetch` encrypts what goes to the credential endpoints, once `use` was told the metadata, and decrypts what comes back.
// `parameters` are `credential_response_encryption` of a request; `opened` lists the endpoints whose answers were decrypted.
export async function newEncryption(enc = 'A256GCM') {
  const { publicKey, privateKey } = await jose.generateKeyPair('ECDH-ES', { crv: 'P-256' })
  const jwk = { ...(await jose.exportJWK(publicKey)), kid: 'answer', use: 'enc', alg: 'ECDH-ES' }
  let metadata
  const opened = []
  return {
    opened,
    // The library insists on `alg`, a member of earlier drafts.
    parameters: { jwk, alg: 'ECDH-ES', enc },
    use: (issuerMetadata) => {
      metadata = issuerMetadata.credentialIssuer
    },
    fetch: async (url, options) => {
      const endpoints = [metadata?.credential_endpoint, metadata?.deferred_credential_endpoint]
      if (!endpoints.includes(url.toString())) return fetch(url, options)
      const [requestKey] = metadata.credential_request_encryption.jwks.keys
      const body = await new jose.CompactEncrypt(new TextEncoder().encode(options.body))
        .setProtectedHeader({ alg: requestKey.alg, enc, kid: requestKey.kid })
        .encrypt(await jose.importJWK(requestKey))
      const response = await fetch(url, { ...options, headers: { ...options.headers, 'Content-Type': 'application/jwt' }, body })
      if (response.headers.get('content-type') !== 'application/jwt') return response
      const { plaintext, protectedHeader } = await jose.compactDecrypt(await response.text(), privateKey)
      assert.deepEqual([protectedHeader.alg, protectedHeader.enc, protectedHeader.kid], ['ECDH-ES', enc, 'answer'])
      opened.push(url.toString())
      return new Response(plaintext, { status: response.status, headers: { 'content-type': 'application/json' } })
    }
  }
}
