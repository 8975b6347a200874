/* Prints where CPython keeps things, as its own headers tell: the constants of loopstall.monitor.layout_tables. */

#define Py_BUILD_CORE 1
#include <Python.h>
#include <stddef.h>
#include <stdio.h>
#include "internal/pycore_code.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_runtime.h"

#if PY_VERSION_HEX >= 0x030e0000
#include "internal/pycore_interpframe_structs.h"
#endif

#define FIELD(name, type, member) printf("%s %zu\n", name, offsetof(type, member))
#define SIZE(name, type) printf("%s %zu\n", name, sizeof(type))

int main(void)
{
    SIZE("gil.size", struct _gil_runtime_state);
    SIZE("unicode.compact_size", PyCompactUnicodeObject);
#if PY_VERSION_HEX < 0x030d0000
    FIELD("runtime.interpreters_head", _PyRuntimeState, interpreters.head);
#if PY_VERSION_HEX < 0x030c0000
    FIELD("runtime.gil", _PyRuntimeState, ceval.gil);
    FIELD("interpreter.threads_head", PyInterpreterState, threads.head);
    FIELD("cframe.current_frame", _PyCFrame, current_frame);
#else
    FIELD("interpreter.ceval_gil", PyInterpreterState, ceval.gil);
    FIELD("interpreter.threads_head", PyInterpreterState, threads.head);
    FIELD("cframe.current_frame", _PyCFrame, current_frame);
#endif
    FIELD("interpreter.next", PyInterpreterState, next);
    FIELD("interpreter.gc", PyInterpreterState, gc);
    FIELD("gil.locked", struct _gil_runtime_state, locked);
    FIELD("gil.holder", struct _gil_runtime_state, last_holder);
    FIELD("gc.collecting", struct _gc_runtime_state, collecting);
    FIELD("thread.next", PyThreadState, next);
    FIELD("thread.interp", PyThreadState, interp);
    FIELD("thread.cframe", PyThreadState, cframe);
    FIELD("thread.native_thread_id", PyThreadState, native_thread_id);
    FIELD("thread.datastack_chunk", PyThreadState, datastack_chunk);
    FIELD("frame.previous", struct _PyInterpreterFrame, previous);
    FIELD("frame.executable", struct _PyInterpreterFrame, f_code);
    FIELD("frame.instr_ptr", struct _PyInterpreterFrame, prev_instr);
    FIELD("frame.owner", struct _PyInterpreterFrame, owner);
    FIELD("code.filename", PyCodeObject, co_filename);
    FIELD("code.qualname", PyCodeObject, co_qualname);
    FIELD("code.linetable", PyCodeObject, co_linetable);
    FIELD("code.firstlineno", PyCodeObject, co_firstlineno);
    FIELD("code.co_code_adaptive", PyCodeObject, co_code_adaptive);
    SIZE("object.size", PyObject);
    FIELD("object.ob_type", PyObject, ob_type);
    FIELD("type.tp_name", PyTypeObject, tp_name);
    FIELD("bytes.ob_size", PyVarObject, ob_size);
    FIELD("bytes.ob_sval", PyBytesObject, ob_sval);
    FIELD("unicode.state", PyASCIIObject, state);
    FIELD("unicode.length", PyASCIIObject, length);
    SIZE("unicode.asciiobject_size", PyASCIIObject);
#endif
    return 0;
}
