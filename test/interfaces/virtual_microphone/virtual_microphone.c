/* An ALSA capture device without hardware: a tone paced by the monotonic clock, for tests of the device source.
 *
 * The tone is sin(2 pi 440 t), t being the monotonic time at which a sample is taken: so a sample tells its own time.
 * It is there while the file `control` of its configuration is there. The file's first character may be
 *   x  one overrun, of 5 ms and what was not yet read, then the file is left with a '-'
 *   s  stalled: opened, but no sound arrives
 * and removing the file unplugs the device: running streams get ENODEV, new ones cannot be opened.
 * The declarations below are the part of ALSA's public I/O plugin interface (version 1.0.2) that is used here, so that no
 * development package is needed to build this. Loaded through `pcm_type.virtual_microphone { lib ... }`.
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

typedef struct ioplug ioplug;
typedef struct {
  void *addr;
  unsigned first, step;
} area;
typedef struct {
  int (*start)(ioplug *);
  int (*stop)(ioplug *);
  long (*pointer)(ioplug *);
  long (*transfer)(ioplug *, const area *, unsigned long, unsigned long);
  int (*close)(ioplug *);
  void *hw_params, *hw_free, *sw_params;
  int (*prepare)(ioplug *);
  void *unused[10];
} callbacks;
struct ioplug {
  unsigned version;
  const char *name;
  unsigned flags;
  int poll_fd;
  unsigned poll_events, mmap_rw;
  const callbacks *callback;
  void *private_data, *pcm;
  int stream, state;
  volatile unsigned long appl_ptr, hw_ptr;
  int nonblock, access, format;
  unsigned channels, rate;
  unsigned long period_size, buffer_size;
};
int snd_pcm_ioplug_create(ioplug *, const char *, int, int);
int snd_pcm_ioplug_set_param_minmax(ioplug *, int, unsigned, unsigned);
int snd_pcm_ioplug_set_param_list(ioplug *, int, unsigned, const unsigned *);
int snd_pcm_ioplug_set_state(ioplug *, int);
int snd_config_search(void *, const char *, void **);
int snd_config_get_string(void *, const char **);

enum { ACCESS, FORMAT, CHANNELS, RATE, PERIOD_BYTES, BUFFER_BYTES, PERIODS };
enum { ACCESS_RW_INTERLEAVED = 3, FORMAT_S16_LE = 2, STREAM_CAPTURE = 1, STATE_DISCONNECTED = 8 };

typedef struct {
  ioplug io;
  char control[512];
  double started_s, overrun_until_s;
  uint64_t delivered;
} microphone;

static double monotonic_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + 1e-9 * now.tv_nsec;
}

static int command(const microphone *mic) {
  FILE *file = fopen(mic->control, "r");
  if (!file) return -1;
  int first = fgetc(file);
  fclose(file);
  return first == EOF ? '-' : first;
}

static int start(ioplug *io) {
  struct itimerspec every = {{0, 5000000}, {0, 5000000}};
  return timerfd_settime(io->poll_fd, 0, &every, NULL);
}

static int stop(ioplug *io) {
  struct itimerspec never = {{0, 0}, {0, 0}};
  return timerfd_settime(io->poll_fd, 0, &never, NULL);
}

static long pointer(ioplug *io) {
  microphone *mic = io->private_data;
  uint64_t expirations;
  if (read(io->poll_fd, &expirations, sizeof expirations) < 0 && errno != EAGAIN) return -errno;
  switch (command(mic)) {
    case -1:
      snd_pcm_ioplug_set_state(io, STATE_DISCONNECTED);
      return -ENODEV;
    case 's':
      mic->started_s = monotonic_s() - (double)io->hw_ptr / io->rate;
      return io->hw_ptr % io->buffer_size;
    case 'x': {
      FILE *file = fopen(mic->control, "w");
      if (file) fputc('-', file), fclose(file);
      mic->overrun_until_s = monotonic_s() + 0.005;
      return -EPIPE;
    }
    default: {
      uint64_t now = (monotonic_s() - mic->started_s) * io->rate;
      if (monotonic_s() < mic->overrun_until_s || now > mic->delivered + io->buffer_size - 1) return -EPIPE;
      return now % io->buffer_size;
    }
  }
}

static long transfer(ioplug *io, const area *areas, unsigned long offset, unsigned long frames) {
  microphone *mic = io->private_data;
  for (unsigned long i = 0; i < frames; i++) {
    double phase = 2 * M_PI * fmod(440.0 * (mic->started_s + (double)(mic->delivered + i) / io->rate), 1.0);
    for (unsigned c = 0; c < io->channels; c++) {
      int16_t value = (int16_t)(10000 * sin(phase));
      memcpy((char *)areas[c].addr + (areas[c].first + areas[c].step * (offset + i)) / 8, &value, sizeof value);
    }
  }
  mic->delivered += frames;
  return frames;
}

static int prepare(ioplug *io) {
  microphone *mic = io->private_data;
  mic->started_s = monotonic_s(); /* it runs from here on: ALSA asks for the pointer before it starts again */
  mic->delivered = 0;
  return command(mic) < 0 ? -ENODEV : start(io);
}

static int close_microphone(ioplug *io) {
  close(io->poll_fd);
  free(io->private_data);
  return 0;
}

static const callbacks table = {start, stop, pointer, transfer, close_microphone, 0, 0, 0, prepare, {0}};

int _snd_pcm_virtual_microphone_open(void **pcm, const char *name, void *root, void *conf, int stream, int mode) {
  void *node;
  const char *control;
  (void)root;
  if (stream != STREAM_CAPTURE) return -EINVAL;
  if (snd_config_search(conf, "control", &node) < 0 || snd_config_get_string(node, &control) < 0) return -EINVAL;
  microphone *mic = calloc(1, sizeof *mic);
  if (!mic) return -ENOMEM;
  snprintf(mic->control, sizeof mic->control, "%s", control);
  if (command(mic) < 0) {
    free(mic);
    return -ENODEV;
  }
  mic->io.version = 0x010002;
  mic->io.name = "virtual microphone";
  mic->io.flags = 2; /* monotonic time stamps */
  mic->io.poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  mic->io.poll_events = POLLIN;
  mic->io.mmap_rw = 0;
  mic->io.callback = &table;
  mic->io.private_data = mic;
  int error = snd_pcm_ioplug_create(&mic->io, name, stream, mode);
  if (error < 0) {
    close(mic->io.poll_fd);
    free(mic);
    return error;
  }
  const unsigned access = ACCESS_RW_INTERLEAVED, format = FORMAT_S16_LE;
  if (snd_pcm_ioplug_set_param_list(&mic->io, ACCESS, 1, &access) < 0 ||
      snd_pcm_ioplug_set_param_list(&mic->io, FORMAT, 1, &format) < 0 ||
      snd_pcm_ioplug_set_param_minmax(&mic->io, CHANNELS, 1, 2) < 0 ||
      snd_pcm_ioplug_set_param_minmax(&mic->io, RATE, 8000, 48000) < 0 ||
      snd_pcm_ioplug_set_param_minmax(&mic->io, PERIOD_BYTES, 64, 65536) < 0 ||
      snd_pcm_ioplug_set_param_minmax(&mic->io, BUFFER_BYTES, 128, 131072) < 0 ||
      snd_pcm_ioplug_set_param_minmax(&mic->io, PERIODS, 2, 64) < 0) {
    return -EINVAL;
  }
  *pcm = mic->io.pcm;
  return 0;
}
char __snd_pcm_virtual_microphone_open_dlsym_pcm_001;
