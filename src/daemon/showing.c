/* SPDX-License-Identifier: ISC */
#include "daemon/showing.h"

#include "base/log.h"

/* A process that ends closes its page, as it does its control socket, but one
 * that drains where it stands shows it until its last client has gone. The next
 * one serves clients by then: waiting for the page comes behind its doors. */

static bool
is_wanted(const struct config *cfg)
{
	return cfg->http_listen[0] != '\0';
}

static void
complain(const struct errtext *why)
{
	log_warning("status page: %s; going on without it", why->text);
}

int
showing_check(const struct config *cfg, struct errtext *why)
{
	struct httpd_place place;

	return is_wanted(cfg) ? http_parse_place(cfg->http_listen, &place, why)
			      : 0;
}

void
showing_open(struct doorbell *d, struct mono until)
{
	const struct config *cfg = config_under(d->config, false);
	struct httpd_place place;
	struct errtext why;
	size_t i = 0;
	int fd;

	if ((fd = systemd_socket(&d->systemd, "http", &i)) >= 0) {
		d->http_socket = httpd_adopt(d->loop, fd, &why);
		if (d->http_socket == NULL)
			complain(&why);
		return;
	}
	if (!is_wanted(cfg))
		return;
	if (http_parse_place(cfg->http_listen, &place, &why) < 0 ||
	    (d->http_socket = httpd_open(d->loop, &place, until, &why)) == NULL)
		complain(&why);
}

void
showing_start(struct doorbell *d)
{
	struct errtext why;

	if (d->http_socket == NULL)
		return;
	d->http = (struct http){.control = &d->control,
	    .trend = &d->tally.page->trend,
	    .draining = &d->draining};
	if (http_start(&d->http, &d->http_socket, &why) < 0)
		complain(&why);
}

void
showing_stop(struct doorbell *d)
{
	http_stop(&d->http);
	httpd_close(&d->http_socket);
}
