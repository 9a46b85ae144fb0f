/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stands for debugobjects.h: the address sanitizer sees what it would report. */
#ifndef HMM_SHIM_DEBUGOBJECTS_H
#define HMM_SHIM_DEBUGOBJECTS_H

#include <stdbool.h>

enum debug_obj_state {
	ODEBUG_STATE_ACTIVE,
};

struct debug_obj_descr {
	const char *name;
	bool (*fixup_free)(void *addr, enum debug_obj_state state);
};

#define debug_object_init(object, descr)	\
	((void)(object), (void)(descr))
#define debug_object_init_on_stack(object, descr)	\
	((void)(object), (void)(descr))
#define debug_object_activate(object, descr)	\
	((void)(object), (void)(descr), 0)
#define debug_object_deactivate(object, descr)	\
	((void)(object), (void)(descr))
#define debug_object_free(object, descr)	\
	((void)(object), (void)(descr))

#endif /* HMM_SHIM_DEBUGOBJECTS_H */
