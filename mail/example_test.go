package mail_test

import (
	"context"
	"fmt"
	"testing/fstest"
	"time"

	"github.com/ginauth/ginauth/mail"
)

// An application has its own German message. It would usually embed the files.
// For English it uses the embedded templates.
func ExampleTemplates_Render() {
	own := fstest.MapFS{"de/reset_password.txt": {Data: []byte(
		`{{define "subject"}}Neues Passwort für {{.AppName}}{{end -}}
Hallo {{.Name}}, hier geht es weiter: {{.URL}}
Der Link gilt {{minutes .Expires}} Minuten.`)}}
	templates, err := mail.NewTemplates(mail.TemplateOptions{FS: own})
	if err != nil {
		fmt.Println(err)
		return
	}
	data := mail.Data{
		AppName: "Example", Name: "Ann", URL: "https://example.com/reset?token=abc",
		Expires: time.Hour,
	}
	for _, language := range []string{"de-AT", "en"} {
		subject, text, html, err := templates.Render(mail.ResetPassword, language, data)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(subject)
		fmt.Println(text)
		fmt.Println("HTML:", html != "")
	}
	// Output:
	// Neues Passwort für Example
	// Hallo Ann, hier geht es weiter: https://example.com/reset?token=abc
	// Der Link gilt 60 Minuten.
	//
	// HTML: false
	// Choose a new password for Example
	// Hello Ann,
	//
	// We received a request for a new password for your account at Example. To choose one, open this link:
	//
	//     https://example.com/reset?token=abc
	//
	// The link is valid for 1 hour.
	//
	// If it was not you, you can ignore this message. Your password does not change. Do not share the link with anyone.
	//
	// Example
	//
	// HTML: true
}

func ExampleQueue() {
	// Use smtp.New in production.
	mailer := mail.MailerFunc(func(_ context.Context, m mail.Message) error {
		fmt.Println("sent:", m.Subject)
		return nil
	})
	queue, err := mail.NewQueue(mailer, mail.QueueOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = queue.Enqueue(mail.Message{
		Kind: mail.PasswordChanged, To: mail.Address{Name: "Ann", Email: "ann@example.com"},
		Subject: "Your password was changed", Text: "If it was not you, please tell us.",
	})
	if err != nil {
		fmt.Println(err)
	}
	// When the application shuts down.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := queue.Close(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: sent: Your password was changed
}

func ExamplePermanent() {
	unknown := mail.Permanent(fmt.Errorf("service: no such mailbox"))
	fmt.Println(unknown)
	// Output: mail: permanent failure: service: no such mailbox
}
