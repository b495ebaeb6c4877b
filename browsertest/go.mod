module github.com/ginauth/ginauth/browsertest

go 1.26.0

replace github.com/ginauth/ginauth => ../

require (
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
)

require github.com/go-json-experiment/json v0.0.0-20260214004413-d219187c3433 // indirect
