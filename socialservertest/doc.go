// Package socialservertest signs in with an OpenID Connect provider of others: the example of github.com/zitadel/oidc.
package socialservertest
