// A real OpenID Connect issuer on loopback, for the tests of tokens.
//
// node provider.mjs PORT. `/rotate` gives it new signing keys, `/asked` tells how often its keys were asked for. Tokens
// come from the token endpoint by client credentials; the client "tester" names its tenant and its roles in the scope,
// as "tenant:acme role:auditor". With "later" in the scope a token is valid in an hour only.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

import { Provider } from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const audience = 'https://gateway.example';
const scope = 'tenant:acme tenant:other role:auditor role:reviewer role:platform-admin later';

function signingKey(alg) {
  const { privateKey } = alg === 'ES256'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: randomUUID() };
}

function provider(keys) {
  const made = new Provider(issuer, {
    jwks: { keys },
    clients: [{
      client_id: 'tester',
      client_secret: 'tester-secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    }],
    scopes: scope.split(' '),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => ({
          scope,
          audience: resource,
          accessTokenTTL: 300,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: resource.endsWith('/es256') ? 'ES256' : 'RS256' } },
        }),
      },
    },
    formats: {
      customizers: {
        jwt(_ctx, token, jwt) {
          if (token.scope?.includes('later')) jwt.payload.nbf = Math.floor(Date.now() / 1000) + 3600;
          return jwt;
        },
      },
    },
    extraTokenClaims: (_ctx, token) => {
      const words = (token.scope ?? '').split(' ');
      const named = (kind) => words.filter((word) => word.startsWith(kind)).map((word) => word.slice(kind.length));
      return { tenant: named('tenant:')[0], roles: named('role:') };
    },
  });
  return made.callback();
}

let keys = [signingKey('RS256'), signingKey('ES256')];
let answer = provider(keys);
let asked = 0;
createServer((request, response) => {
  if (request.url === '/rotate') {
    keys = [signingKey('RS256'), signingKey('ES256')];
    answer = provider(keys);
    response.end('rotated');
  } else if (request.url === '/asked') {
    response.end(String(asked));
  } else {
    if (request.url === '/jwks') asked += 1;
    answer(request, response);
  }
}).listen(port, '127.0.0.1');
