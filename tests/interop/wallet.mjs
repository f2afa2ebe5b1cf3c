// A wallet made of @openid4vc/openid4vci and jose, and the provider that vouches for it.

import assert from 'node:assert/strict'
import { createHash, randomBytes, webcrypto } from 'node:crypto'
import {
  clientAuthenticationAnonymous,
  clientAuthenticationClientAttestationJwt,
  clientAuthenticationNone,
  setGlobalConfig
} from '@openid4vc/oauth2'
import { Openid4vciClient } from '@openid4vc/openid4vci'
import * as x509 from '@peculiar/x509'
import * as jose from 'jose'

// The server under test listens on a loopback address without TLS.
setGlobalConfig({ allowInsecureUrls: true })

export const redirectUri = 'https://wallet.example/cb'

export async function newKey(alg = 'ES256') {
  const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true })
  return { alg, privateKey, publicJwk: await jose.exportJWK(publicKey) }
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

// A root certificate, and what issues certificates under it.
async function newAuthority(name) {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const [notBefore, notAfter] = [-1, 100].map((days) => new Date(Date.now() + days * 86_400_000))
  const common = { notBefore, notAfter, signingAlgorithm: algorithm }
  const anchor = await x509.X509CertificateGenerator.createSelfSigned({
    ...common,
    name,
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)]
  })
  const certify = (subject, publicKey, more = []) =>
    x509.X509CertificateGenerator.create({
      ...common,
      subject,
      issuer: anchor.subject,
      publicKey,
      signingKey: keys.privateKey,
      extensions: [new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true), ...more]
    })
  return { anchor, certify }
}

// Who certifies the keys of organisations: of a signing request in PEM, a certificate in PEM.
export async function newIssuerAuthority() {
  const { anchor, certify } = await newAuthority('CN=Outside issuer authority')
  return {
    anchor,
    certify: async (csr) => {
      const request = new x509.Pkcs10CertificateRequest(csr)
      assert.ok(await request.verify())
      return (await certify(request.subject, await request.publicKey.export())).toString('pem')
    }
  }
}

// Somebody who vouches for wallets, under a certificate as HAIP wants it: the key in `x5c`, the anchor not. `trustAnchors` is
// what an organisation writes into its policy.
export async function newWalletProvider(clientId) {
  const { anchor, certify } = await newAuthority('CN=Outside wallet authority')
  const signer = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await certify('CN=Outside wallet provider', signer.publicKey)
  return {
    clientId,
    trustAnchors: { walletProviders: { certificates: [anchor.toString('base64')] } },
    attest: (instanceKey) =>
      new jose.SignJWT({ cnf: { jwk: instanceKey.publicJwk }, wallet_name: 'Outside wallet' })
        .setProtectedHeader({ typ: 'oauth-client-attestation+jwt', alg: 'ES256', x5c: [certificate.toString('base64')] })
        .setIssuer('https://provider.example')
        .setSubject(clientId)
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(signer.privateKey)
  }
}

// `attestation` is of a wallet provider, its instance key one of `keys`; `fetch` stands in the place of the built-in one.
export function newWallet(keys, { clientId, attestation, fetch } = {}) {
  const signJwt = async (signer, { header, payload }) => {
    const key = keys.find((key) => key.publicJwk.x === signer.publicJwk.x)
    const jwt = await new jose.SignJWT(payload).setProtectedHeader(header).sign(key.privateKey)
    return { jwt, signerJwk: key.publicJwk }
  }
  const generateRandom = (length) => randomBytes(length)
  const unused = (name) => () => {
    throw new Error(`${name} is not part of this flow`)
  }
  return new Openid4vciClient({
    callbacks: {
      signJwt,
      hash: (data, alg) => createHash(alg.replace('-', '')).update(data).digest(),
      generateRandom,
      fetch,
      clientAuthentication: attestation
        ? clientAuthenticationClientAttestationJwt({ clientAttestationJwt: attestation, callbacks: { signJwt, generateRandom } })
        : clientId
          ? clientAuthenticationNone({ clientId })
          : clientAuthenticationAnonymous(),
      verifyJwt: unused('verifyJwt'),
      decryptJwe: unused('decryptJwe'),
      encryptJwe: unused('encryptJwe')
    }
  })
}

export const jwkSigner = (key) => ({ method: 'jwk', alg: key.alg, publicJwk: key.publicJwk })

// What an offer leads to: the offer and the metadata of its issuer.
export async function open(client, link) {
  const credentialOffer = await client.resolveCredentialOffer(link)
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
  return { credentialOffer, issuerMetadata }
}

export async function redeem(client, { credentialOffer, issuerMetadata }, { dpopKey, txCode } = {}) {
  const dpop = dpopKey ? { signer: jwkSigner(dpopKey) } : undefined
  return client.retrievePreAuthorizedCodeAccessTokenFromOffer({ credentialOffer, issuerMetadata, txCode, dpop })
}

// The authorization code flow; `browse` takes the URL for the browser and answers where that was sent back to. The library
// checks `iss` of the answer and sends no `state` here.
export async function authorize(client, { credentialOffer, issuerMetadata }, { dpopKey, clientId, browse }) {
  const configuration = issuerMetadata.credentialIssuer.credential_configurations_supported
  const { authorizationRequestUrl, pkce, dpop } = await client.createAuthorizationRequestUrlFromOffer({
    credentialOffer,
    issuerMetadata,
    clientId,
    redirectUri,
    scope: configuration[credentialOffer.credential_configuration_ids[0]].scope,
    dpop: dpopKey ? { signer: jwkSigner(dpopKey) } : undefined
  })
  const authorizationResponse = client.parseAndVerifyAuthorizationResponseRedirectUrl({
    url: await browse(authorizationRequestUrl),
    authorizationServerMetadata: issuerMetadata.authorizationServers[0]
  })
  assert.equal(authorizationResponse.error, undefined)
  const token = await client.retrieveAuthorizationCodeAccessTokenFromOffer({
    credentialOffer,
    issuerMetadata,
    authorizationCode: authorizationResponse.code,
    pkceCodeVerifier: pkce.codeVerifier,
    redirectUri,
    dpop
  })
  return { ...token, authorizationRequestUrl }
}

// One credential for each key; the credential response, or what was deferred.
export async function collect(client, { credentialOffer, issuerMetadata }, token, { holderKeys, clientId, more }) {
  const { c_nonce: nonce } = await client.requestNonce({ issuerMetadata })
  const credentialConfigurationId = credentialOffer.credential_configuration_ids[0]
  const proof = async (key) => {
    const proof = { issuerMetadata, credentialConfigurationId, signer: jwkSigner(key), nonce, clientId, issuedAt: new Date() }
    return (await client.createCredentialRequestJwtProof(proof)).jwt
  }
  const { credentialResponse } = await client.retrieveCredentials({
    issuerMetadata,
    credentialConfigurationId,
    accessToken: token.accessTokenResponse.access_token,
    proofs: { jwt: await Promise.all(holderKeys.map(proof)) },
    additionalRequestPayload: more,
    dpop: token.dpop
  })
  return credentialResponse
}

// Offer link to credential, with DPoP when `dpopKey` is given.
export async function accept(client, link, { holderKey, dpopKey, txCode, clientId }) {
  const opened = await open(client, link)
  const token = await redeem(client, opened, { dpopKey, txCode })
  const response = await collect(client, opened, token, { holderKeys: [holderKey], clientId })
  return { opened, token: token.accessTokenResponse, credential: response.credentials[0].credential }
}
