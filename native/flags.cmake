# How the core is compiled, for the extension modules and for the core's own tests alike.
#
# Included after project(): the compiler itself says what it compiles for, so that a cross compiler
# and CMAKE_OSX_ARCHITECTURES are taken at their word.
include(CheckCXXCompilerFlag)
include(CheckCXXSymbolExists)

set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
option(DELTARULE_WERROR "Take the compiler's warnings for errors" OFF)

if(CMAKE_CXX_COMPILER_ID STREQUAL "MSVC")
  message(FATAL_ERROR "deltarule: the kernels are written in the vector extensions of GCC and Clang, "
                      "which Visual C++ lacks. Build with clang-cl: set the environment variable "
                      "CMAKE_GENERATOR_TOOLSET=ClangCL, or DELTARULE_PURE=1 to leave the core out.")
endif()
list(LENGTH CMAKE_OSX_ARCHITECTURES architectures)
if(architectures GREATER 1)
  message(FATAL_ERROR "deltarule: expected one architecture a build, got "
                      "CMAKE_OSX_ARCHITECTURES=${CMAKE_OSX_ARCHITECTURES}.")
endif()

# The instruction sets of the target processor, the slowest first: every such processor has that.
check_cxx_symbol_exists(__x86_64__ cstddef DELTARULE_X86_64)
check_cxx_symbol_exists(__aarch64__ cstddef DELTARULE_AARCH64)
if(DELTARULE_X86_64)
  set(DELTARULE_ISAS baseline avx2 avx512)
elseif(DELTARULE_AARCH64)
  set(DELTARULE_ISAS neon)
else()
  set(DELTARULE_ISAS baseline)
endif()

# Contraction: a·b + c is one fma where the set has it. No errno and no traps: nobody reads them.
set(DELTARULE_FLAGS -ffp-contract=fast -fno-math-errno -fno-trapping-math)
set(DELTARULE_FLAGS_avx2 -mavx2 -mfma)
set(DELTARULE_FLAGS_avx512 -mavx2 -mfma -mavx512f -mavx512dq -mavx512bw -mavx512vl
    -mprefer-vector-width=512)
# Products of bfloat16, where the compiler has them: no code uses these unless the processor does, too.
if(DELTARULE_X86_64)
  check_cxx_compiler_flag("-mavx512bf16" DELTARULE_HAS_AVX512_BF16)
  check_cxx_compiler_flag("-mamx-tile -mamx-bf16" DELTARULE_HAS_AMX)
  if(DELTARULE_HAS_AVX512_BF16)
    list(APPEND DELTARULE_FLAGS_avx512 -mavx512bf16)
  endif()
  if(DELTARULE_HAS_AMX)
    list(APPEND DELTARULE_FLAGS_avx512 -mamx-tile -mamx-bf16)
  endif()
endif()
if(CMAKE_CXX_COMPILER_FRONTEND_VARIANT STREQUAL "MSVC")  # clang-cl
  list(TRANSFORM DELTARULE_FLAGS PREPEND /clang:)
  list(APPEND DELTARULE_FLAGS /W4)
else()
  list(APPEND DELTARULE_FLAGS -Wall -Wextra)
endif()
if(DELTARULE_WERROR)
  list(APPEND DELTARULE_FLAGS -Werror)
endif()
