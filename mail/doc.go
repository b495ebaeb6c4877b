// Package mail defines what an authentication suite sends by email and how:
// the contract of a Mailer, the messages, the templates they are made from and
// a queue that sends them off the request.
//
//	templates, err := mail.NewTemplates(mail.TemplateOptions{})
//	mailer, err := smtp.New(smtp.Options{Host: "smtp.example.com", From: …})
//	queue, err := mail.NewQueue(mailer, mail.QueueOptions{})
//	defer queue.Close(ctx)
//
//	m, err := templates.Message(mail.ResetPassword, "en", mail.Address{Name: name, Email: email}, data)
//	err = queue.Enqueue(m)
//
// Transports are in packages of their own: mail/smtp sends by SMTP, and for
// development mail/filemail writes files and mail/logmail writes to a log.
// Anything else is a Mailer of the application's own; it has one method.
//
// # Secrets
//
// The text of a message holds links that let whoever has them into an account.
// Message and Data hide themselves in fmt, slog and JSON, and the queue logs
// neither subject, text nor links, and of an address the domain alone.
//
// # Header injection
//
// Message.Check refuses whatever could become a second header or a second
// recipient: control characters, lists of addresses, addresses with a name,
// comment, quoted part or route. The queue and every transport here call it
// first, so that neither a user's name nor an address somebody typed can
// change where a message goes or what it is.
//
// What strangers may choose in a message to somebody else, as the name given at
// registration, is left out by Templates if it reads like a link.
package mail
