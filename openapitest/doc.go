// Package openapitest checks the document of routes.OpenAPI with a validator of
// its own, and every response of the routes against the document.
package openapitest
