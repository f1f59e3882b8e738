/* SPDX-License-Identifier: ISC */
#include "daemon/steering.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/drain.h"
#include "daemon/reload.h"

/* A process that is on its way out closes its doors, and then its socket, so the
 * next one meets it for a moment at most, and waits for that
 * (net/predecessor.h); only a daemon of another configuration stays in the way,
 * and keeps the path.
 *
 * What is asked for begins after the tick, when the answer is out. */

/* Under master a new configuration is for a new process. */
static void
on_reload(struct loop_later *later)
{
	struct doorbell *d = OWNER_OF(later, struct doorbell, reload_asked);

	if (d->draining)
		return;
	if (d->options->mode == OPTIONS_SERVICE)
		drain_in_background(d);
	else
		reload_config(d);
}

static void
on_drain(struct loop_later *later)
{
	struct doorbell *d = OWNER_OF(later, struct doorbell, drain_asked);

	if (d->draining)
		return;
	if (d->options->mode == OPTIONS_SERVICE)
		drain_in_background(d);
	else
		drain_in_place(d);
}

/* A process that leaves before it has served the client that started it would
 * be started for that client again and again. */
static int
check_leaving(const struct doorbell *d, struct errtext *why)
{
	if (d->options->mode != OPTIONS_SERVICE || d->channel.introduced)
		return 0;
	errtext_set(why, "doorbelld has only just begun: try again");
	return -1;
}

static int
ask_reload(void *arg, struct errtext *why)
{
	struct doorbell *d = arg;

	if (check_leaving(d, why) < 0)
		return -1;
	loop_later_add(d->loop, &d->reload_asked, on_reload);
	return 0;
}

static int
ask_drain(void *arg, struct errtext *why)
{
	struct doorbell *d = arg;

	if (check_leaving(d, why) < 0)
		return -1;
	loop_later_add(d->loop, &d->drain_asked, on_drain);
	return 0;
}

static int
find_group(const char *name, gid_t *gid_r, struct errtext *why)
{
	struct group *gr;

	*gid_r = (gid_t)-1;
	if (name[0] == '\0')
		return 0;
	errno = 0;
	if ((gr = getgrnam(name)) == NULL) {
		errtext_set(why, "doorbell_control_group = %s: %s", name,
		    errno != 0 ? strerror(errno) : "there is no such group");
		return -1;
	}
	*gid_r = gr->gr_gid;
	return 0;
}

int
steering_check(const struct config *cfg, struct errtext *why)
{
	const char *path = cfg->control_socket;
	gid_t gid;

	if (path[0] != '\0' &&
	    (path[0] != '/' || strlen(path) >= LOCAL_PATH_MAX)) {
		errtext_set(why,
		    "doorbell_control_socket = %s: not an absolute path of"
		    " less than %d bytes",
		    path, LOCAL_PATH_MAX);
		return -1;
	}
	return find_group(cfg->control_group, &gid, why);
}

void
steering_open(struct doorbell *d, struct mono until)
{
	const struct config *cfg = config_under(d->config, false);
	struct local_options o = {.path = cfg->control_socket,
	    .make_directory = true,
	    .until = until};
	struct errtext why;
	size_t i = 0;
	int fd;

	if ((fd = systemd_socket(&d->systemd, "control", &i)) >= 0) {
		d->control_socket = local_adopt(fd, &why);
		if (d->control_socket == NULL)
			log_warning("control socket: %s; going on without it",
			    why.text);
		return;
	}
	if (o.path[0] == '\0')
		return;
	if (steering_check(cfg, &why) < 0 ||
	    find_group(cfg->control_group, &o.group, &why) < 0 ||
	    (d->control_socket = local_open(&o, &why)) == NULL)
		log_warning(
		    "control socket: %s; going on without it", why.text);
}

void
steering_start(struct doorbell *d)
{
	const struct config_source *source = &d->options->source;
	struct errtext why;

	d->host = (struct control_host){
	    .mode =
		d->options->mode == OPTIONS_SERVICE ? "service" : "standalone",
	    .config =
		source->directory != NULL ? source->directory : source->file,
	    .since = clock_wall(),
	    .since_mono = clock_mono(),
	    .reload = ask_reload,
	    .drain = ask_drain,
	    .log_level = d->options->verbose,
	};
	d->control = (struct control){
	    .loop = d->loop, .screen = d->screen, .host = &d->host, .arg = d};
	if (d->control_socket != NULL &&
	    control_start(&d->control, &d->control_socket, &why) < 0)
		log_warning(
		    "control socket: %s; going on without it", why.text);
}

void
steering_stop(struct doorbell *d)
{
	loop_later_cancel(&d->reload_asked);
	loop_later_cancel(&d->drain_asked);
	control_stop(&d->control);
	local_close(&d->control_socket);
}
