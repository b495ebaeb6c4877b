// Package smtp sends messages by SMTP.
//
//	mailer, err := smtp.New(smtp.Options{
//		Host:     "smtp.example.com",
//		Username: "app",
//		Password: smtp.Password(os.Getenv("SMTP_PASSWORD")),
//		From:     mail.Address{Name: "Example", Email: "no-reply@example.com"},
//	})
//
// Servers that take no passwords get an access token in its place, such as one of
// an oauth2.TokenSource:
//
//	AccessToken: func(context.Context) (smtp.Password, error) {
//		token, err := source.Token()
//		if err != nil {
//			return "", err
//		}
//		return smtp.Password(token.AccessToken), nil
//	},
//
// # Encryption
//
// Messages and passwords are sent only over TLS with a verified certificate. By
// default, the connection begins unencrypted and STARTTLS encrypts it. If
// STARTTLS is not offered, by the server or because an attacker removed the
// offer, nothing is sent. ImplicitTLS encrypts from the first byte.
// InsecurePlaintext is meant for a server on the same machine that catches mail
// during development. It sends no password.
//
// # Connections
//
// Each message uses a new connection. The additional round trips happen outside
// the request. A message never fails because a server or firewall closed an
// idle connection.
//
// # Errors
//
// A reply of 500 to 599 is a permanent error: the message is not retried. A
// message that fails its check is a permanent error too, and so is an address
// outside ASCII if the server does not support SMTPUTF8. All other errors are
// temporary: replies of 400 to 499, timeouts, a certificate that cannot be
// verified, and STARTTLS not offered. Once the server has accepted the message,
// the error is nil, even if the connection fails later.
package smtp
