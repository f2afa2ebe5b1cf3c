// A wallet made of @openid4vc/openid4vci and jose.

import { createHash, randomBytes } from 'node:crypto'
import { clientAuthenticationAnonymous, clientAuthenticationNone, setGlobalConfig } from '@openid4vc/oauth2'
import { Openid4vciClient } from '@openid4vc/openid4vci'
import * as jose from 'jose'

// The server under test listens on a loopback address without TLS.
setGlobalConfig({ allowInsecureUrls: true })

export async function newKey(alg = 'ES256') {
  const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true })
  return { alg, privateKey, publicJwk: await jose.exportJWK(publicKey) }
}

export function newWallet(keys, { clientId } = {}) {
  const signJwt = async (signer, { header, payload }) => {
    const key = keys.find((key) => key.publicJwk.x === signer.publicJwk.x)
    const jwt = await new jose.SignJWT(payload).setProtectedHeader(header).sign(key.privateKey)
    return { jwt, signerJwk: key.publicJwk }
  }
  const unused = (name) => () => {
    throw new Error(`${name} is not part of this flow`)
  }
  return new Openid4vciClient({
    callbacks: {
      signJwt,
      hash: (data, alg) => createHash(alg.replace('-', '')).update(data).digest(),
      generateRandom: (length) => randomBytes(length),
      clientAuthentication: clientId ? clientAuthenticationNone({ clientId }) : clientAuthenticationAnonymous(),
      verifyJwt: unused('verifyJwt'),
      decryptJwe: unused('decryptJwe'),
      encryptJwe: unused('encryptJwe')
    }
  })
}

export const jwkSigner = (key) => ({ method: 'jwk', alg: key.alg, publicJwk: key.publicJwk })

// Offer link to credential, with DPoP when `dpopKey` is given.
export async function accept(client, link, { holderKey, dpopKey, txCode, clientId }) {
  const credentialOffer = await client.resolveCredentialOffer(link)
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
  const token = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
    credentialOffer,
    issuerMetadata,
    txCode,
    dpop: dpopKey ? { signer: jwkSigner(dpopKey) } : undefined
  })
  const { c_nonce: nonce } = await client.requestNonce({ issuerMetadata })
  const credentialConfigurationId = credentialOffer.credential_configuration_ids[0]
  const { jwt } = await client.createCredentialRequestJwtProof({
    issuerMetadata,
    credentialConfigurationId,
    signer: jwkSigner(holderKey),
    nonce,
    clientId,
    issuedAt: new Date()
  })
  const { credentialResponse } = await client.retrieveCredentials({
    issuerMetadata,
    credentialConfigurationId,
    accessToken: token.accessTokenResponse.access_token,
    proofs: { jwt: [jwt] },
    dpop: token.dpop
  })
  return { issuerMetadata, token: token.accessTokenResponse, credential: credentialResponse.credentials[0].credential }
}
