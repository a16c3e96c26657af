// An OpenID provider on loopback, with TLS, for one person: alice@example.test of the group devs.
//
//     node provider.mjs PORT CERTIFICATE KEY MODULES
//
// Refresh tokens are taken once each and replaced. When it listens, it says on one line, as JSON, the refresh tokens that
// it gives out by itself: { "public": [...], "secret": [...] } for the clients `desktop` (no secret) and `server` (the
// secret "the-secret", in the body only).

import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [port, certificate, key, modules] = process.argv.slice(2)
const found = createRequire(pathToFileURL(`${modules}/package.json`)).resolve('oidc-provider')
const { Provider } = await import(pathToFileURL(found))

const scope = 'openid email groups offline_access'
const client = {
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/callback'],
  scope,
}
const provider = new Provider(`https://127.0.0.1:${port}`, {
  clients: [
    { ...client, client_id: 'desktop', token_endpoint_auth_method: 'none' },
    {
      ...client, client_id: 'server', client_secret: 'the-secret',
      token_endpoint_auth_method: 'client_secret_post',
    },
  ],
  scopes: scope.split(' '),
  claims: { openid: ['sub'], email: ['email'], groups: ['groups'] },
  // The API server looks at the id_token only.
  conformIdTokenClaims: false,
  rotateRefreshToken: true,
  ttl: { IdToken: 30, AccessToken: 30, RefreshToken: 3600, Grant: 3600 },
  features: { devInteractions: { enabled: false } },
  interactions: { url: () => '/nowhere' },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: 'alice@example.test', email_verified: true, groups: ['devs'] }),
  }),
})

async function refreshToken(id) {
  const grant = new provider.Grant({ accountId: 'alice', clientId: id })
  grant.addOIDCScope(scope)
  const grantId = await grant.save()
  const token = new provider.RefreshToken({
    accountId: 'alice', client: await provider.Client.find(id), grantId, scope, rotations: 0, gty: 'authorization_code',
    authTime: Math.floor(Date.now() / 1000),
  })
  return token.save()
}

const some = (id) => Promise.all(Array.from({ length: 8 }, () => refreshToken(id)))
const tokens = { public: await some('desktop'), secret: await some('server') }
const tls = { cert: readFileSync(certificate), key: readFileSync(key) }
createServer(tls, provider.callback()).listen(Number(port), '127.0.0.1', () => console.log(JSON.stringify(tokens)))
