/* Wrong on purpose: loses options. */
#include "../check.h"

int main(void)
{
    estore_options *options = estore_options_new();
    OK(estore_options_set_grace_ns(options, 5));
    options = NULL;
    return options != NULL;
}
